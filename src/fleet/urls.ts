import { urlAt } from '../lib/address-list.ts'
import { addressAt, isLoopbackAddress, type ReachKind } from '../http/reach.ts'
import type { Member } from './fleet.ts'
import { MAX_BMCS } from './plan.ts'

/** Every listener costs a file descriptor. */
const MAX_PORTS = 2_000
const LAST_PORT = 65_535
const LAST_LOOPBACK = '127.255.255.254'
const LAST_ADDRESS = '255.255.255.254'

/** Where the service is, as the configuration says it. */
export interface Whereabouts {
  readonly host: string
  readonly reach: ReadonlySet<ReachKind>
  readonly firstAddress: string
}

/** Where a BMC is; `undefined`: it is not served there. */
export interface Urls {
  readonly url: string | undefined
  readonly httpsUrl: string | undefined
}

/** Where a BMC is reached in each of the ways that there are, without the path of the service root. */
export function urlsOf({ host, reach, firstAddress }: Whereabouts, { bmc, slot }: Member): readonly Urls[] {
  const { httpPort, httpsPort } = bmc.state.network
  const at = (name: string, path = ''): Urls => ({
    url: withPath(urlAt('http', httpPort, name), path),
    httpsUrl: withPath(urlAt('https', httpsPort, name), path),
  })
  const ways: Readonly<Record<ReachKind, () => Urls>> = {
    address: () => at(addressAt(firstAddress, slot)),
    name: () => at(bmc.id),
    port: () => at(host),
    path: () => at(host, `/bmc/${bmc.id}`),
  }
  return [...reach].map((kind) => ways[kind]())
}

/** How many BMCs there may be, and can be reached: there are so many addresses from the first one on, and so many ports. */
export function capacityOf(
  { reach, firstAddress }: Pick<Whereabouts, 'reach' | 'firstAddress'>,
  ports: readonly number[],
): number {
  const last = isLoopbackAddress(firstAddress) ? LAST_LOOPBACK : LAST_ADDRESS
  const addresses = reach.has('address') ? numberOf(last) - numberOf(firstAddress) + 1 : Infinity
  const left = ports.filter((port) => port > 0).map((port) => LAST_PORT - port + 1)
  return Math.min(MAX_BMCS, addresses, ...(reach.has('port') ? [MAX_PORTS, ...left] : []))
}

function numberOf(address: string): number {
  return address.split('.').reduce((number, byte) => number * 256 + Number(byte), 0)
}

function withPath(url: string | undefined, path: string): string | undefined {
  return url === undefined ? undefined : url + path
}
