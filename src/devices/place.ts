import { type AddressRange, isAddress, plainHost, withinRanges } from '../lib/address-list.ts'
import { DeviceError } from './device-error.ts'

/** Scheme and authority, and what comes after them. */
const ADDRESS = /^(?:https?:\/\/)?[^/\\?#]*(.*)$/is
/** Of nobody, of everybody, or of somebody on a link that no URL can name. */
const nobodys: readonly AddressRange[] = [
  { address: '0.0.0.0', bits: 8 },
  { address: '224.0.0.0', bits: 4 },
  { address: '255.255.255.255', bits: 32 },
  { address: '::', bits: 128 },
  { address: 'ff00::', bits: 8 },
  { address: 'fe80::', bits: 10 },
]
const isNobodys = withinRanges(nobodys)

/**
 * Where addresses lead, by the origin that is asked: however it is written, a device is at one place. `undefined`: it is
 * no address, no device can have it, or it leads to something in the service and not to the service, which is at `path`.
 */
export function placesBy(
  originOf: (hostName: string) => string,
  path: string,
): (hostName: string) => string | undefined {
  const ends = new Set(['', '/', path, `${path}/`])
  return (hostName) => {
    if (!ends.has(ADDRESS.exec(hostName)?.[1] ?? '')) return undefined
    try {
      const origin = originOf(hostName)
      return isSomebodys(new URL(origin)) ? origin : undefined
    } catch (error) {
      if (error instanceof DeviceError) return undefined
      throw error
    }
  }
}

function isSomebodys({ hostname, port }: URL): boolean {
  const host = plainHost(hostname)
  return port !== '0' && (!isAddress(host) || !isNobodys(host))
}
