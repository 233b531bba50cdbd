import { once } from 'node:events'
import { Agent, type IncomingMessage, request as requestHttp } from 'node:http'
import { Agent as SecureAgent, request as requestHttps, type RequestOptions } from 'node:https'
import { connect as connectPlainly, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { connect, type ConnectionOptions, type DetailedPeerCertificate } from 'node:tls'
import { onTestFinished } from 'vitest'
import type { Bmc } from '../../src/bmc/bmc.ts'
import { addressAt, type ReachKind } from '../../src/http/reach.ts'
import { createEmulator } from '../../src/index.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { basic } from './emulator.ts'
import { temporaryFolder } from './wire.ts'

const FIRST = '127.1.0.1'
const GROUP = 'all'

/** A fleet on real sockets whose BMCs are called by their places; 45 seconds of boot time pass in a third of a second. */
export async function startFleet(count: number, kinds: readonly ReachKind[] = ['address'], data?: string) {
  const emulator = await createEmulator({
    fleet: { groups: [{ name: GROUP, count, names: 'bmc-{0}.example' }] },
    reach: kinds.join(','),
    firstAddress: FIRST,
    speed: 150,
    // What is kept has its images with it.
    ...(data === undefined ? { spool: await temporaryFolder() } : { data }),
  })
  onTestFinished(() => emulator.close())
  const portOf = (scheme: 'http' | 'https'): string =>
    new URL((scheme === 'http' ? emulator.url : emulator.httpsUrl) ?? '').port
  return {
    /** What everybody is reached by. */
    portOf,
    /** Where the BMC in this place is by its address. */
    at: (slot: number, scheme: 'http' | 'https' = 'http') =>
      `${scheme}://${addressAt(FIRST, slot)}:${portOf(scheme)}`,
    bmc: (slot: number): Bmc => {
      const bmc = emulator.bmcs.find(({ id }) => id === `bmc-${slot}.example`)
      if (bmc === undefined) throw new Error(`nobody in place ${slot}`)
      return bmc
    },
    add: () => emulator.add(GROUP),
    remove: (bmc: Bmc) => emulator.remove(bmc),
    close: () => emulator.close(),
  }
}

export type FleetWire = Awaited<ReturnType<typeof startFleet>>

/** A request to a fleet: where it goes, and what it says. */
export interface Asked extends Pick<RequestOptions, 'method' | 'ca' | 'servername' | 'checkServerIdentity'> {
  readonly url: string
  readonly host?: string
  /** Whose connections it may use again; one of its own unless given. */
  readonly agent?: Agent
  readonly body?: string
}

/** What is answered; rejects with the error of the connection. */
export async function ask({ url, host, agent, body, ...options }: Asked) {
  const isSecure = url.startsWith('https:')
  const headers = {
    authorization: basic('admin'),
    ...(host !== undefined && { host }),
    ...(body !== undefined && { 'content-type': 'application/json' }),
  }
  const own = isSecure ? new SecureAgent() : new Agent()
  const send = isSecure ? requestHttps : requestHttp
  const sent = send(url, {
    rejectUnauthorized: options.ca !== undefined,
    agent: agent ?? own,
    headers,
    ...options,
  })
  sent.end(body)
  try {
    const [answer] = (await once(sent, 'response')) as [IncomingMessage]
    const said = await text(answer)
    return {
      status: answer.statusCode,
      headers: answer.headers,
      json: (said === '' ? {} : JSON.parse(said)) as JsonObject,
    }
  } finally {
    own.destroy()
  }
}

/** The code of the error that a request ends with. */
export async function problemOf(asked: Asked): Promise<unknown> {
  return ask(asked).then(
    ({ status }) => status,
    (error: NodeJS.ErrnoException) => error.code,
  )
}

/** The certificate that a client is shown, and who certified it. */
export async function shownTo(options: ConnectionOptions): Promise<DetailedPeerCertificate> {
  const socket = connect({ rejectUnauthorized: false, ...options })
  await once(socket, 'secureConnect')
  const certificate = socket.getPeerCertificate(true)
  socket.destroy()
  return certificate
}

/** A connection by hand, over TLS where the URL says so. */
export async function connectTo(url: string): Promise<Socket> {
  const { protocol, hostname: host, port } = new URL(url)
  const isSecure = protocol === 'https:'
  const place = { host, port: Number(port) }
  const socket = isSecure ? connect({ ...place, rejectUnauthorized: false }) : connectPlainly(place)
  await once(socket, isSecure ? 'secureConnect' : 'connect')
  return socket
}

/** How a connection ends on which nobody says anything, or once this is said: the code of its error. */
export async function endOf(url: string, said?: string): Promise<unknown> {
  const { hostname: host, port } = new URL(url)
  const socket = said === undefined ? connectPlainly({ host, port: Number(port) }) : await connectTo(url)
  onTestFinished(() => void socket.destroy())
  let code: unknown
  socket.on('error', (error: NodeJS.ErrnoException) => (code = error.code)).resume()
  if (said !== undefined) socket.write(said)
  await new Promise((resolve) => {
    socket.once('close', resolve)
  })
  return code
}
