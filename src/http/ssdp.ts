import { randomUUID } from 'node:crypto'
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { isIPv4 } from 'node:net'
import { type Bmc, machineMember } from '../bmc/bmc.ts'
import { uris } from '../redfish/uris.ts'
import { ownAddressTowards } from './own-address.ts'

const GROUP = '239.255.255.250'
const PORT = 1900
/** DSP0266, M-SEARCH response: at least half an hour. */
const MAX_AGE_S = 1_800
const REDFISH = 'urn:dmtf-org:service:redfish-rest:1'
const ANY_ADDRESS = '0.0.0.0'

export interface SsdpOptions {
  /** Where the service listens: searches are heard on the same interface. */
  readonly host: string
  /** 0 for any free one. */
  readonly port?: number
  /** The service root's URL, for who reached us at this address. */
  readonly urlAt: (address: string) => string
  /** The service root's UUID. */
  readonly uuid: string
  /** The minor version of the Redfish specification that the service follows. */
  readonly minor: number
  /** A manager that boots does not answer. */
  readonly isAway: () => boolean
  readonly failed: (error: Error) => void
}

/** Discovery of a BMC as its ManagerNetworkProtocol says: from the start, or once a client switches it on. */
export async function startDiscovery(
  bmc: Bmc,
  options: Pick<SsdpOptions, 'host' | 'port' | 'urlAt' | 'minor' | 'failed'>,
): Promise<Ssdp> {
  const uuid = machineMember(bmc, uris.root, 'UUID')
  const ssdp = new Ssdp({
    ...options,
    // A mockup without a UUID has none that this could differ from.
    uuid: typeof uuid === 'string' ? uuid : randomUUID(),
    isAway: () => bmc.state.outage !== undefined,
  })
  if (bmc.state.network.ssdpEnabled) await ssdp.open()
  bmc.listeners.add(({ network }) => {
    if (network?.ssdpEnabled === true) ssdp.open().catch(options.failed)
    else if (network?.ssdpEnabled === false) ssdp.close()
  })
  return ssdp
}

/** Answers searches for Redfish services (DSP0266, discovery); sends nothing unasked. */
export class Ssdp {
  readonly #options: SsdpOptions
  #socket: Socket | undefined

  constructor(options: SsdpOptions) {
    this.#options = options
  }

  get isOpen(): boolean {
    return this.#socket !== undefined
  }

  /** Listens, and tells the port. Rejects where it cannot. */
  async open(): Promise<number> {
    if (this.#socket !== undefined) return this.#socket.address().port
    const { host, port = PORT, failed } = this.#options
    const socket = createSocket({ type: 'udp4', reuseAddr: true })
    this.#socket = socket
    try {
      // The group's address, so that nothing else is heard.
      socket.bind(port, GROUP)
      await listening(socket)
      socket.addMembership(GROUP, interfaceOf(host))
    } catch (error) {
      this.close()
      throw error
    }
    socket.on('error', failed)
    socket.on('message', (bytes, from) => this.#hear(socket, bytes.toString('latin1'), from))
    return socket.address().port
  }

  close(): void {
    this.#socket?.close()
    this.#socket = undefined
  }

  #hear(socket: Socket, text: string, from: RemoteInfo): void {
    const { host, isAway, minor } = this.#options
    if (isAway() || !isSearch(text, minor)) return
    // What came from elsewhere was not meant for a service on loopback.
    if (interfaceOf(host)?.startsWith('127.') === true && !from.address.startsWith('127.')) return
    if (host !== ANY_ADDRESS) return this.#answer(socket, host, from)
    ownAddressTowards(from.address, from.port).then(
      (address) => this.#answer(socket, address, from),
      this.#options.failed,
    )
  }

  #answer(socket: Socket, address: string, from: RemoteInfo): void {
    if (socket !== this.#socket) return
    const { urlAt, uuid, minor } = this.#options
    const service = `${REDFISH}:${minor}`
    const lines = [
      'HTTP/1.1 200 OK',
      `CACHE-CONTROL: max-age=${MAX_AGE_S}`,
      `ST: ${service}`,
      `USN: uuid:${uuid}::${service}`,
      `AL: ${urlAt(address)}`,
      'EXT:',
      '',
      '',
    ]
    socket.send(lines.join('\r\n'), from.port, from.address, (error) => {
      if (error !== null) this.#options.failed(error)
    })
  }
}

/** Resolves once the socket is bound; rejects where it cannot be, or was closed first. */
async function listening(socket: Socket): Promise<void> {
  const closed = once(socket, 'close').then(() => {
    throw new Error('closed before it could listen')
  })
  await Promise.race([once(socket, 'listening'), closed])
}

/** The address of the interface that belongs to a host; `undefined` leaves it to the system. */
function interfaceOf(host: string): string | undefined {
  if (host === 'localhost' || host === '::1') return '127.0.0.1'
  return isIPv4(host) && host !== ANY_ADDRESS ? host : undefined
}

/** Whether a datagram searches for what we are: this service in a version that we follow, or everything. */
function isSearch(text: string, minor: number): boolean {
  const [top, ...lines] = text.split('\r\n')
  if (top !== 'M-SEARCH * HTTP/1.1') return false
  const headers = new Map(
    lines.map((line) => [line.replace(/:.*/, '').toLowerCase(), line.replace(/^[^:]*: */, '').trim()]),
  )
  if (headers.get('man') !== '"ssdp:discover"') return false
  const target = headers.get('st') ?? ''
  if (target === 'ssdp:all' || target === REDFISH) return true
  const [, wanted] = /^:(\d{1,3})$/.exec(target.slice(REDFISH.length)) ?? []
  return target.startsWith(REDFISH) && wanted !== undefined && Number(wanted) <= minor
}
