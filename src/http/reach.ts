import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Bmc } from '../bmc/bmc.ts'
import { RedfishError } from '../redfish/errors.ts'
import { message } from '../redfish/messages/message.ts'
import { notFound } from './errors.ts'

/** How a fleet's BMCs are told apart: by the address or the port of a connection, the name or the path of a request. */
export const reachKinds = ['address', 'name', 'port', 'path'] as const
export type ReachKind = (typeof reachKinds)[number]

/** A BMC and its place among the others, from which its address and its ports follow. */
export interface Resident {
  readonly bmc: Bmc
  readonly slot: number
}

/** The BMCs of the service. */
export interface Residents {
  at(slot: number): Resident | undefined
  find(id: string): Resident | undefined
}

/** How connections and requests find their BMC. */
export interface Reach {
  /** Whether there is but one BMC. */
  readonly isOfOne: boolean
  /** Whether a BMC has ports of its own. */
  readonly hasPorts: boolean
  /** Whether every address of the machine is listened at. */
  readonly isWildcard: boolean
  /** Whether nobody else's connections are taken but this machine's. */
  readonly isForLoopback: boolean
  /** Whether requests, too, can say whom they are for. */
  readonly isAsked: boolean
  /** Whose a connection is that came to this address, by everybody's port. */
  readonly atAddress: (address: string | undefined) => Bmc | undefined
  /** Who has this name. */
  readonly named: (name: string) => Bmc | undefined
  /** The address of a BMC, where it has one. */
  readonly addressOf: (bmc: Bmc) => string | undefined
  /**
   * Whom a request is for: its path says so before its name does, and its name before its connection (`owner`). Throws a
   * RedfishError where there is nobody: 404 by path, 421 else (RFC 9110 §15.5.20).
   */
  readonly ofRequest: (request: IncomingMessage, path: string, owner: Bmc | undefined) => Bmc
  /** The path as the BMC is to see it. */
  readonly rewrite: (path: string) => string
}

/** There is one BMC, however it is asked for. */
export function reachOfOne(bmc: Bmc): Reach {
  return {
    isOfOne: true,
    hasPorts: false,
    isWildcard: false,
    isForLoopback: false,
    isAsked: false,
    atAddress: () => bmc,
    named: () => undefined,
    addressOf: () => undefined,
    ofRequest: () => bmc,
    rewrite: (path) => path,
  }
}

export interface FleetReach {
  readonly kinds: ReadonlySet<ReachKind>
  /** The IPv4 address of the first BMC; that of the next is the next one. */
  readonly firstAddress: string
}

/** The BMCs of a fleet, each by whatever tells it apart: nothing is kept for it. */
export function reachOfFleet({ kinds, firstAddress }: FleetReach, residents: Residents): Reach {
  const first = numberOf(firstAddress)
  const hasAddresses = kinds.has('address')
  const hasPorts = kinds.has('port')
  const byAddress = (address: string): Bmc | undefined =>
    hasAddresses ? residents.at(numberOf(address) - first)?.bmc : undefined
  const named: Reach['named'] = (name) => (kinds.has('name') ? residents.find(name)?.bmc : undefined)
  return {
    isOfOne: false,
    hasPorts,
    isWildcard: hasAddresses,
    isForLoopback: hasAddresses && isLoopbackAddress(firstAddress),
    isAsked: kinds.has('name') || kinds.has('path'),
    atAddress: (address = '') => byAddress(address) ?? (hasPorts ? residents.at(0)?.bmc : undefined),
    named,
    addressOf: ({ id }) => {
      const slot = hasAddresses ? residents.find(id)?.slot : undefined
      return slot === undefined ? undefined : addressAt(firstAddress, slot)
    },
    ofRequest: (request, path, owner) => {
      const id = kinds.has('path') ? PREFIX.exec(path)?.[1] : undefined
      if (id !== undefined) {
        const found = residents.find(id)
        if (found === undefined) throw notFound(path)
        return found.bmc
      }
      const bmc = named(hostOf(request)) ?? named(sniOf(request)) ?? owner
      if (bmc === undefined) throw new RedfishError(421, message('Base.HeaderInvalid', 'Host'))
      return bmc
    },
    rewrite: (path) => (kinds.has('path') ? withoutPrefix(path) : path),
  }
}

/** What stands before the paths of a BMC that is reached by path. */
const PREFIX = /^\/bmc\/([^/?]+)(?=[/?]|$)/

function withoutPrefix(path: string): string {
  const rest = path.replace(PREFIX, '')
  return rest.startsWith('/') ? rest : `/${rest}`
}

/** The name in a Host header: names know no case. */
function hostOf({ headers: { host = '' } }: IncomingMessage): string {
  return host.replace(/:\d*$/, '').toLowerCase()
}

/** The name that a TLS client asked for; names are compared as it wrote them. */
function sniOf({ socket }: { readonly socket: Socket & { readonly servername?: unknown } }): string {
  return typeof socket.servername === 'string' ? socket.servername.toLowerCase() : ''
}

/** Whether an address of IPv4 is one that only this machine has, and reaches. */
export function isLoopbackAddress(address: string | undefined): boolean {
  return address?.startsWith('127.') === true
}

/** An IPv4 address as the number that it is. */
function numberOf(address: string): number {
  return address.split('.').reduce((number, byte) => number * 256 + Number(byte), 0)
}

/** The address of the BMC in this place: that of the first is given. */
export function addressAt(first: string, slot: number): string {
  const number = numberOf(first) + slot
  return [24, 16, 8, 0].map((bits) => (number >>> bits) & 255).join('.')
}

/** The port of the BMC in this place, likewise; a free one for each where any will do. */
export function portAt(first: number | undefined, slot: number): number | undefined {
  return first === undefined || first === 0 ? first : first + slot
}
