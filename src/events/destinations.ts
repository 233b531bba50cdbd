import { isIP } from 'node:net'
import { parseAddressList, plainHost, withinRanges } from '../lib/address-list.ts'

/** What nobody else hears. */
export const LOOPBACK = '127.0.0.0/8,::1,localhost'

/** Whether events may be sent to a URL: asks its text only, a name is never resolved to find out. */
export type Destinations = (url: string) => boolean

/** Reads a list of addresses, CIDR ranges and host names; `undefined` when an entry is none of these. */
export function parseDestinations(text: string): Destinations | undefined {
  const list = parseAddressList(text)
  if (list === undefined) return undefined
  const isListed = withinRanges(list.ranges)
  return (url) => {
    const host = hostOf(url)
    return host !== undefined && (isIP(host) === 0 ? list.names.has(host) : isListed(host))
  }
}

/** The same of a list that was found right. */
export function requireDestinations(text: string): Destinations {
  const destinations = parseDestinations(text)
  if (destinations === undefined) throw new Error(`no list of destinations: ${text}`)
  return destinations
}

function hostOf(url: string): string | undefined {
  // The URL parser writes every spelling of an address (`0x7f.1`) the usual way.
  const host = URL.canParse(url) ? new URL(url).hostname : ''
  return host === '' ? undefined : plainHost(host)
}
