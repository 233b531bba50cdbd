import { DeviceError } from './device-error.ts'

/** Scheme and authority, and what comes after them. */
const ADDRESS = /^(?:https?:\/\/)?[^/\\?#]*(.*)$/is

/**
 * Where addresses lead, by the origin that is asked: however it is written, a device is at one place. `undefined`: it is
 * no address, or leads to something in the service and not to the service, which is at `path`.
 */
export function placesBy(
  originOf: (hostName: string) => string,
  path: string,
): (hostName: string) => string | undefined {
  const ends = new Set(['', '/', path, `${path}/`])
  return (hostName) => {
    if (!ends.has(ADDRESS.exec(hostName)?.[1] ?? '')) return undefined
    try {
      return originOf(hostName)
    } catch (error) {
      if (error instanceof DeviceError) return undefined
      throw error
    }
  }
}
