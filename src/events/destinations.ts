import { BlockList, isIP } from 'node:net'

/** What nobody else hears. */
export const LOOPBACK = '127.0.0.0/8,::1,localhost'

const RANGE = /^(?<address>[\d.]+|[\da-fA-F:.]*:[\da-fA-F:.]*)(?:\/(?<bits>\d{1,3}))?$/
const HOST = /^(?!-)[a-z\d-]+(\.[a-z\d-]+)*$/i

/** Whether events may be sent to a URL: asks its text only, a name is never resolved to find out. */
export type Destinations = (url: string) => boolean

/** Reads a list of addresses, CIDR ranges and host names; `undefined` when an entry is none of these. */
export function parseDestinations(text: string): Destinations | undefined {
  const ranges = new BlockList()
  const names = new Set<string>()
  for (const entry of text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')) {
    if (!addRange(ranges, entry)) {
      if (!HOST.test(entry) || /^[\d.]+$/.test(entry)) return undefined
      names.add(entry.toLowerCase())
    }
  }
  return (url) => {
    const host = hostOf(url)
    if (host === undefined) return false
    const family = isIP(host)
    return family === 0 ? names.has(host) : ranges.check(host, family === 6 ? 'ipv6' : 'ipv4')
  }
}

/** The same of a list that was found right. */
export function requireDestinations(text: string): Destinations {
  const destinations = parseDestinations(text)
  if (destinations === undefined) throw new Error(`no list of destinations: ${text}`)
  return destinations
}

function addRange(ranges: BlockList, entry: string): boolean {
  const { address = '', bits } = RANGE.exec(entry)?.groups ?? {}
  const family = isIP(address)
  if (family === 0) return false
  const longest = family === 6 ? 128 : 32
  if (Number(bits ?? longest) > longest) return false
  ranges.addSubnet(address, Number(bits ?? longest), family === 6 ? 'ipv6' : 'ipv4')
  return true
}

function hostOf(url: string): string | undefined {
  // The URL parser writes every spelling of an address (`0x7f.1`) the usual way.
  const host = URL.canParse(url) ? new URL(url).hostname : ''
  return host === '' ? undefined : host.replace(/^\[|\]$/g, '')
}
