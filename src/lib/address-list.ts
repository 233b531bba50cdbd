import { BlockList, isIP } from 'node:net'

const RANGE = /^(?<address>[\d.]+|[\da-fA-F:.]*:[\da-fA-F:.]*)(?:\/(?<bits>\d{1,3}))?$/
const HOST = /^(?!-)[a-z\d-]+(\.[a-z\d-]+)*$/i

/** Addresses, CIDR ranges and host names, as a setting lists them. */
export interface AddressList {
  readonly ranges: readonly AddressRange[]
  /** In lower case. */
  readonly names: ReadonlySet<string>
}

export interface AddressRange {
  readonly address: string
  readonly bits: number
}

/** Reads a list of addresses, CIDR ranges and host names; `undefined` when an entry is none of these. */
export function parseAddressList(text: string): AddressList | undefined {
  const ranges: AddressRange[] = []
  const names = new Set<string>()
  for (const entry of text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')) {
    const range = parseRange(entry)
    if (range === undefined) {
      if (!HOST.test(entry) || /^[\d.]+$/.test(entry)) return undefined
      names.add(entry.toLowerCase())
    } else ranges.push(range)
  }
  return { ranges, names }
}

/** Whether an address is in one of the ranges; an IPv4 address is the same when IPv6 maps it. */
export function withinRanges(ranges: readonly AddressRange[]): (address: string) => boolean {
  let list: BlockList | undefined
  return (address) => {
    // Made when first asked: a start does not wait for lists that nobody is judged by yet.
    list ??= blockListOf(ranges)
    return list.check(address, familyOf(address))
  }
}

function blockListOf(ranges: readonly AddressRange[]): BlockList {
  const list = new BlockList()
  for (const { address, bits } of ranges) list.addSubnet(address, bits, familyOf(address))
  return list
}

/** Whether this is an address of either family, and no name. */
export function isAddress(host: string): boolean {
  return isIP(host) !== 0
}

/** The host of a URL as it is dialled: an IPv6 address without its brackets. */
export function plainHost(host: string): string {
  return host.replace(/^\[|\]$/g, '')
}

/** The URL of what listens at a port of a host; `undefined` where nothing does. */
export function urlAt(scheme: string, port: number | undefined, host: string): string | undefined {
  return port === undefined ? undefined : `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`
}

function parseRange(entry: string): AddressRange | undefined {
  const { address = '', bits } = RANGE.exec(entry)?.groups ?? {}
  const family = isIP(address)
  if (family === 0) return undefined
  const longest = family === 6 ? 128 : 32
  return Number(bits ?? longest) > longest ? undefined : { address, bits: Number(bits ?? longest) }
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4'
}
