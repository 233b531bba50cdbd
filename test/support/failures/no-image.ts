import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:net'
import { VirtualClock } from '../../../src/lib/clock.ts'
import { uris } from '../../../src/redfish/uris.ts'
import { createFetcher } from '../../../src/transfer/fetch.ts'
import { certificateFor } from '../authority.ts'
import { nicImage } from '../device-stages.ts'
import type { TestEmulator, TestOptions } from '../emulator.ts'
import { listen, type ServedImage, sendImage, serveHttp } from '../image-server.ts'
import { beginPull, untilConnected, untilFetched } from '../pulls.ts'
import type { Begun, Failure } from './failure.ts'

const PATH = '/images/update.tar'
/** What the emulators here take at the most, or have room for. */
const LIMIT_BYTES = 100_000
const tooMuch = Buffer.alloc(2 * LIMIT_BYTES)
const half = nicImage.length / 2
const never = new Promise<void>(() => {})

type Serve = (request: IncomingMessage, response: ServerResponse) => unknown
type Source = () => Promise<Pick<ServedImage, 'port'> & Partial<ServedImage> & { readonly scheme?: string }>

/** What is wrong with the source of an image, what the task tells of it, and what its monitor answers. */
interface Wrong {
  readonly what: string
  readonly source: Source
  readonly told: readonly string[]
  readonly monitor?: number
  readonly options?: TestOptions
  readonly prepare?: (emulator: TestEmulator) => Promise<unknown>
  /** Nothing comes any more: time tells. */
  readonly isSilent?: boolean
  readonly host?: string
  /** How many there are with the source in the end, where that is told. */
  readonly connections?: number
}

const http =
  (serve: Serve): Source =>
  () =>
    serveHttp(serve)
const status = (code: number): Source => http((_request, response) => response.writeHead(code).end())
const whole = (image: Buffer): Source => http((_request, response) => response.end(image))
/** Whoever connects is told this, whatever is asked. */
const saying =
  (...said: readonly (string | Uint8Array)[]): Source =>
  () =>
    listen(
      createServer((socket) =>
        socket.once('data', () => {
          for (const one of said) socket.write(one)
          socket.end()
        }),
      ),
    )
/** Announces an image, sends half of it, and then does something else. */
const halfAnd = (go: (response: ServerResponse) => unknown): Source =>
  http((_request, response) => {
    response.writeHead(200, { 'content-length': nicImage.length })
    response.write(nicImage.subarray(0, half), () => void go(response))
  })
const nobody: Source = async () => {
  const server = createServer()
  const { port } = await listen(server)
  server.close()
  await once(server, 'close')
  return { port }
}
const noServer: Source = () => Promise.resolve({ port: 80 })

/** A fetcher for which no name has an address. */
const nameless = createFetcher({
  clock: new VirtualClock(),
  policy: () => true,
  folders: new Map(),
  stallMs: 60_000,
  lookup: () => Promise.reject(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })),
})

const noConnection = 'Base.CouldNotEstablishConnection($URI)'
const failed = `Update.TransferFailed($URI, ${uris.updateService})`
const announced = (bytes: number): string => `HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n`

const wrongs: readonly Wrong[] = [
  ...[404, 410].map((code) => ({
    what: `is answered by ${code}`,
    source: status(code),
    told: ['Base.ResourceMissingAtURI($URI)'],
  })),
  ...['401 Unauthorized', '403 Forbidden'].map((said) => ({
    what: `is answered by ${said}`,
    source: status(Number.parseInt(said)),
    told: [`Base.ResourceAtUriUnauthorized($URI, ${said})`],
  })),
  {
    what: 'is on a server that has a problem',
    source: status(500),
    told: [noConnection, 'ServiceCommunications.HTTPFailure(500, 127.0.0.1)'],
  },
  {
    what: 'is where nobody listens',
    source: nobody,
    told: [noConnection, 'ServiceCommunications.ConnectionRefused(127.0.0.1, $PORT)'],
  },
  {
    what: 'is on a host whose name nobody knows',
    source: noServer,
    host: 'nobody.example',
    options: { fetcher: nameless },
    told: [noConnection, 'ServiceCommunications.NameResolutionFailure(nobody.example)'],
  },
  {
    what: 'is on a server of another protocol',
    source: saying('SSH-2.0-OpenSSH_9.6\r\n'),
    told: ['Base.SourceDoesNotSupportProtocol($URI, HTTP)'],
  },
  {
    what: 'is on a server that speaks no TLS',
    source: async () => ({ ...(await whole(nicImage)()), scheme: 'https' }),
    told: ['Base.SourceDoesNotSupportProtocol($URI, HTTPS)'],
  },
  {
    what: 'is on a server that is not trusted',
    source: async () => {
      const { certificate, privateKey } = await certificateFor(['127.0.0.1'])
      const tls = { cert: certificate, key: privateKey }
      return { ...(await serveHttp((_request, response) => response.end(nicImage), tls)), scheme: 'https' }
    },
    prepare: ({ send }) =>
      send(uris.updateService, { method: 'PATCH', body: { VerifyRemoteServerCertificate: true } }),
    told: [noConnection],
  },
  {
    what: 'is where the configuration lets nobody go',
    source: whole(nicImage),
    connections: 0,
    options: { imageSources: '192.0.2.0/24,images.example' },
    told: ['Base.AccessDenied($URI)'],
  },
  ...['169.254.169.254', '169.254.1.1', '[fd00:ec2::254]', '[fe80::1]', '[::ffff:169.254.169.254]'].map(
    (host) => ({
      what: `is at ${host}, where secrets are`,
      source: noServer,
      host,
      told: ['Base.AccessDenied($URI)'],
    }),
  ),
  {
    what: 'is announced as too large',
    source: http((_request, response) => {
      response.writeHead(200, { 'content-length': tooMuch.length })
      return sendImage(response, tooMuch)
    }),
    options: { maxImageBytes: LIMIT_BYTES },
    told: ['Base.PayloadTooLarge'],
    monitor: 413,
  },
  {
    what: 'is too large without a word',
    source: http((_request, response) => sendImage(response, tooMuch)),
    options: { maxImageBytes: LIMIT_BYTES },
    told: ['Base.PayloadTooLarge'],
    monitor: 413,
  },
  {
    what: 'finds no room here',
    source: whole(tooMuch),
    options: { spoolBytes: LIMIT_BYTES },
    told: ['Base.InsufficientStorage'],
    monitor: 507,
  },
  {
    what: 'never begins to come',
    source: http(() => {}),
    isSilent: true,
    told: [noConnection, 'ServiceCommunications.ConnectionTimeout(127.0.0.1, $PORT)'],
  },
  {
    what: 'stops half-way',
    source: halfAnd(() => never),
    isSilent: true,
    told: [noConnection, 'ServiceCommunications.ConnectionTimeout(127.0.0.1, $PORT)'],
  },
  { what: 'is cut off half-way', source: halfAnd((response) => response.destroy()), told: [failed] },
  {
    what: 'is shorter than announced',
    source: saying(announced(nicImage.length), nicImage.subarray(0, half)),
    told: [failed],
  },
  {
    what: 'is longer than announced',
    source: saying(Buffer.concat([Buffer.from(announced(5)), Buffer.from('12345678')])),
    told: [failed],
  },
  {
    what: 'holds nothing',
    source: whole(Buffer.alloc(0)),
    told: ['Base.ResourceAtUriInUnknownFormat($URI)'],
  },
  {
    what: 'is no image',
    source: whole(Buffer.from('<html>not found</html>')),
    told: ['Base.ResourceAtUriInUnknownFormat($URI)'],
  },
]

/** Stage 1 of a pull: no image comes, or none that anybody knows. */
export const noImage: readonly Failure[] = wrongs.map(
  ({
    what,
    source,
    told,
    monitor = 400,
    options,
    prepare,
    isSilent = false,
    host = '127.0.0.1',
    connections,
  }) => ({
    what: `an image to be fetched that ${what}`,
    ...(options !== undefined && { options }),
    begin: async (emulator): Promise<Begun> => {
      await prepare?.(emulator)
      const { port, scheme = 'http', ...server } = await source()
      const uri = new URL(`${scheme}://${host}:${port}${PATH}`)
      // What must be shown nowhere.
      const asked = Object.assign(new URL(uri), {
        username: 'planted',
        password: 'planted',
        search: 'planted',
      })
      await beginPull(emulator, { ImageURI: asked.href })
      if (isSilent) await untilConnected(server.connections ?? (() => 0))
      return { uri, ...(server.accepted && { accepted: server.accepted }) }
    },
    until: async (emulator) => {
      if (isSilent) await emulator.clock.advance(60_000)
      await untilFetched(emulator)
    },
    expected: {
      after: 'UpdateInProgress',
      told,
      task: 'Exception Critical',
      monitor,
      ...(connections !== undefined && { connections }),
    },
  }),
)
