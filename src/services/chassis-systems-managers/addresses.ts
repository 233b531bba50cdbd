import { RedfishError } from '../../redfish/errors.ts'
import { about, type Message, message } from '../../redfish/messages/message.ts'
import { isObject, type Json, type JsonObject } from '../../redfish/resource.ts'

/** Throws a RedfishError (400) for static addresses that no interface can have. */
export function refuseAddresses(changes: JsonObject): void {
  const mistakes = objectsOf(changes['IPv4StaticAddresses']).flatMap((entry, index) =>
    ['Address', 'SubnetMask', 'Gateway'].flatMap((name) => mistakeIn(entry, name, index)),
  )
  if (mistakes.length > 0) throw new RedfishError(400, mistakes)
}

function mistakeIn(entry: JsonObject, name: string, index: number): Message[] {
  const value = entry[name]
  const property = `IPv4StaticAddresses/${index}/${name}`
  if (typeof value !== 'string') {
    return name === 'Gateway' ? [] : [about(message('Base.PropertyMissing', property), `/${property}`)]
  }
  const isRight = name === 'SubnetMask' ? isMask(value) : isIPv4(value)
  return isRight ? [] : [about(message('Base.PropertyValueFormatError', value, property), `/${property}`)]
}

function isIPv4(text: string): boolean {
  const parts = text.split('.')
  return text !== '0.0.0.0' && parts.length === 4 && parts.every((part) => Number(part) <= 255)
}

/** Ones, and then zeros. */
function isMask(text: string): boolean {
  const bits = text.split('.').map((part) => Number(part).toString(2).padStart(8, '0'))
  return isIPv4(text) && /^1+0*$/.test(bits.join(''))
}

/** What an EthernetInterface shows in use once its configuration changed; nothing for other resources. */
export function followAddresses(current: JsonObject, changes: JsonObject): JsonObject {
  const after = { ...current, ...changes }
  const isStatic = !isObject(after['DHCPv4']) || after['DHCPv4']['DHCPEnabled'] !== true
  const has = (name: string): boolean => Object.hasOwn(current, name)
  const changed = (...names: readonly string[]): boolean => names.some((name) => name in changes)
  const addresses = isStatic
    ? objectsOf(after['IPv4StaticAddresses']).map(inUse)
    : leased(current['IPv4Addresses'])
  return {
    ...(has('IPv4Addresses') && changed('IPv4StaticAddresses', 'DHCPv4') && { IPv4Addresses: addresses }),
    ...(has('IPv6Addresses') &&
      changed('IPv6StaticAddresses') && { IPv6Addresses: ipv6InUse(current, changes) }),
    ...(has('NameServers') && changed('StaticNameServers') && { NameServers: changes['StaticNameServers'] }),
  }
}

/** All addresses share the gateway of the first. */
function inUse({ Address, SubnetMask, Gateway }: JsonObject, index: number): JsonObject {
  const isFirst = index === 0 && typeof Gateway === 'string'
  return { Address, SubnetMask, AddressOrigin: 'Static', ...(isFirst && { Gateway }) }
}

/** Nobody hands out addresses here: a lease is of the address that was in use. */
function leased(addresses: Json | undefined): JsonObject[] {
  return objectsOf(addresses).map((address) => ({ ...address, AddressOrigin: 'DHCP' }))
}

function ipv6InUse(current: JsonObject, changes: JsonObject): JsonObject[] {
  const others = objectsOf(current['IPv6Addresses']).filter(({ AddressOrigin }) => AddressOrigin !== 'Static')
  const fixed = objectsOf(changes['IPv6StaticAddresses']).map(({ Address, PrefixLength }) => ({
    Address,
    PrefixLength,
    AddressOrigin: 'Static',
    AddressState: 'Preferred',
  }))
  return [...fixed, ...others]
}

function objectsOf(value: Json | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : []
}
