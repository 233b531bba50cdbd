import { type AddressRange, parseAddressList, withinRanges } from '../lib/address-list.ts'

/** Everything that is not refused. */
export const ANYWHERE = '0.0.0.0/0,::/0'

/** Whether an image may come from an address that a host (a name, or the address itself) stands for. */
export type AddressPolicy = (address: string, host: string) => boolean

/** No place for images, and a place for secrets: what a client must not make the service ask unless a list says so. */
const refusedV4: readonly AddressRange[] = [
  { address: '169.254.0.0', bits: 16 }, // link-local: also the metadata of most clouds
  { address: '100.100.100.200', bits: 32 }, // metadata: Alibaba
  { address: '192.0.0.192', bits: 32 }, // metadata: Oracle
  { address: '168.63.129.16', bits: 32 }, // the agent's server: Azure
  { address: '224.0.0.0', bits: 4 }, // multicast
  { address: '255.255.255.255', bits: 32 },
]
const refused: readonly AddressRange[] = [
  ...refusedV4.flatMap((range) => [range, ...carried(range)]),
  { address: 'fe80::', bits: 10 }, // link-local
  { address: 'fd00:ec2::254', bits: 128 }, // metadata: Amazon
  { address: 'fd20:ce::254', bits: 128 }, // metadata: Google
  { address: 'ff00::', bits: 8 }, // multicast
]
const isRefused = withinRanges(refused)

/**
 * Reads the list of what image sources may be; `undefined` when it is none. A refused address is opened only by an
 * entry that begins with a refused address itself: `0.0.0.0/0` does not open 169.254.0.0/16, which has to be written.
 */
export function parseImageSources(text: string): AddressPolicy | undefined {
  const list = parseAddressList(text)
  if (list === undefined) return undefined
  const isListed = withinRanges(list.ranges)
  let isOpened: ReturnType<typeof withinRanges> | undefined
  return (address, host) => {
    if (!isRefused(address)) return isListed(address) || list.names.has(host.toLowerCase())
    isOpened ??= withinRanges(list.ranges.filter((range) => isRefused(range.address)))
    return isOpened(address)
  }
}

/** How IPv6 carries these IPv4 addresses: NAT64, IPv4-compatible, 6to4. (Mapped ones are the addresses themselves.) */
function carried({ address, bits }: AddressRange): AddressRange[] {
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number)
  const hex = `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`
  return [
    { address: `64:ff9b::${hex}`, bits: 96 + bits },
    { address: `::${hex}`, bits: 96 + bits },
    { address: `2002:${hex}::`, bits: 16 + bits },
  ]
}
