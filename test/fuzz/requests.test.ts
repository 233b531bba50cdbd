import * as fc from 'fast-check'
import { text as readText } from 'node:stream/consumers'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { createApp } from '../../src/app.ts'
import { type Bmc, createBmc } from '../../src/bmc/bmc.ts'
import { loadMachine } from '../../src/bmc/mockup-folder.ts'
import { createMemorySpool } from '../../src/image/spool/memory-spool.ts'
import { VirtualClock } from '../../src/lib/clock.ts'
import { isObject, type JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { basic, PASSWORD, startEmulator } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { linkedUris, startInhabited } from '../support/inhabited.ts'
import { type Corpus, SOME_SESSION } from '../support/request-corpus.ts'
import { type FuzzRequest, requestsTo, type Sender } from '../support/request-fuzz.ts'
import { isProof } from '../support/sample.ts'
import { validateError } from '../support/schemas.ts'

/** On each of the two machines. */
const REQUESTS = isProof ? 50_000 : 600
const MAX_REQUESTS_PER_RUN = 50
/** How long an answer may take, in real time, before it counts as none. */
const PATIENCE_MS = 20_000
/** What the service may keep of all these requests: nothing, but compilers and caches go on for a while. */
const MAX_GROWTH_BYTES = 24 * 2 ** 20
const DAY_MS = 86_400_000

const collectGarbage = (): void => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
}

test.each(['rackmount', 'bladed'])(
  '%s answers any request with what Redfish knows',
  async (machine) => {
    const service = await startService(machine)
    const corpus = await corpusOf(machine)
    const heap: number[] = []
    let runs = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(requestsTo(corpus), { minLength: 1, maxLength: MAX_REQUESTS_PER_RUN, size: 'max' }),
        async (requests) => {
          await service.answerAll(requests)
          runs += 1
          if (!isProof || runs % 300 > 0) return
          collectGarbage()
          heap.push(process.memoryUsage().heapUsed)
        },
      ),
      { numRuns: (3 * REQUESTS) / MAX_REQUESTS_PER_RUN },
    )
    const { statuses } = service
    expect(statuses.size).toBeGreaterThan(8)
    expect([...statuses.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThan(REQUESTS)
    // Nothing is measured where it is not a proof: garbage is collected for this alone.
    expect((heap.at(-1) ?? 0) - (heap[1] ?? 0)).toBeLessThan(MAX_GROWTH_BYTES)
    expect(heap.length > 2).toBe(isProof)
  },
  3_600_000,
)

/** One app, and a BMC as it leaves the factory for each run: what one run spoils, the next does not see. */
async function startService(machineName: string) {
  const clock = new VirtualClock()
  const spool = createMemorySpool()
  const machine = loadMachine(machineName)
  const { bmc: factory } = await startEmulator({ machine })
  const fresh = (): Bmc => createBmc('1', machine, factory.state.accounts, { roles: factory.state.roles })
  let bmc = fresh()
  const failures: string[] = []
  const logger = pino({ level: 'error' }, { write: (line: string) => void failures.push(line) })
  const { fastify, endStreams } = createApp({
    clock,
    spool,
    maxImageBytes: 2 ** 20,
    stallMs: 60_000,
    monitorEnding: 'response',
    pageSize: 0,
    resolveBmc: () => bmc,
    logger,
    eventSink: { deliver: async () => true, close: async () => {} },
  })
  // The socket of an injected request lacks what an event stream asks of a real one.
  fastify.addHook('onRequest', async ({ raw }) => void Object.assign(raw.socket, { setNoDelay: () => {} }))
  await fastify.ready()
  onTestFinished(() => fastify.close())
  const statuses = new Map<number, number>()

  const logIn = async (): Promise<string> => {
    const payload = { UserName: 'admin', Password: PASSWORD }
    const answer = await fastify.inject({ method: 'POST', url: uris.sessions, payload })
    return String(answer.headers['x-auth-token'] ?? 'none')
  }
  const credentials = (sender: Sender, token: string): Record<string, string> => {
    switch (sender) {
      case 'token':
        return { 'x-auth-token': token }
      case 'password':
        return { authorization: basic('admin') }
      case 'wrong token':
        return { 'x-auth-token': `${token}x` }
      case 'wrong password':
        return { authorization: basic('admin', 'wrong') }
      case 'nobody':
        return {}
    }
  }
  /** The answer; what waits for time gets it. */
  const answerTo = async (request: FuzzRequest, token: string) => {
    const [session = 'none'] = bmc.state.sessions.keys()
    const url = request.url.replaceAll(SOME_SESSION, session)
    const progress = { isSettled: false }
    const answering = fastify
      .inject({
        method: request.method as 'GET', // Node's parser lets more through than inject has types for
        url,
        headers: { ...credentials(request.sender, token), ...request.headers },
        ...(request.body !== undefined && { payload: request.body }),
        // An event stream has no end.
        payloadAsStream: /SSE/i.test(url),
      })
      .finally(() => (progress.isSettled = true))
    const deadline = performance.now() + PATIENCE_MS
    const giveTime = async () => {
      while (!progress.isSettled && performance.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, 5))
        if (!progress.isSettled) await clock.advance(1_000)
      }
      if (!progress.isSettled) throw new Error('no answer')
      return answering
    }
    const answer = await Promise.race([answering, giveTime()])
    const { statusCode, headers } = answer
    if (!/SSE/i.test(url)) return { statusCode, payload: answer.payload }
    if (headers['content-type'] === 'text/event-stream') {
      answer.stream().destroy()
      return { statusCode, payload: '' }
    }
    return { statusCode, payload: await readText(answer.stream()) }
  }
  const answerAll = async (requests: readonly FuzzRequest[]): Promise<void> => {
    failures.length = 0
    bmc = fresh()
    let token = await logIn()
    for (const request of requests) {
      if (bmc.state.sessions.size === 0) token = await logIn()
      const refusesAll = bmc.state.outage === 'refuse'
      const answer = await answerTo(request, token).catch((error: unknown) => {
        if (refusesAll) return undefined
        throw error
      })
      const { statusCode = 0, payload = '' } = answer ?? {}
      statuses.set(statusCode, (statuses.get(statusCode) ?? 0) + 1)
      expect({ request, failures: [...failures] }).toEqual({ request, failures: [] })
      expect({ request, problems: problemsOf(request, statusCode, payload) }).toEqual({
        request,
        problems: [],
      })
      if (bmc.state.outage !== undefined) await clock.advance(600_000)
    }
    // Sessions, tasks and subscriptions end, and with them whatever the clock holds of this BMC.
    endStreams()
    await clock.advance(600_000)
    await clock.advance(DAY_MS)
    expect(failures).toEqual([])
  }
  return { answerAll, statuses }
}

/** What is wrong with an answer: a bug told, an error that is none, a body where there is to be none. */
function problemsOf({ method }: FuzzRequest, status: number, payload: string): string[] {
  if (status === 500) return ['an internal error']
  if (method === 'HEAD') return payload === '' ? [] : ['a body']
  return status < 400 ? [] : validateError(JSON.parse(payload))
}

/** What a client finds on an emulator where everything has an example. */
async function corpusOf(machine: string): Promise<Corpus> {
  const emulator = await startInhabited({ machine })
  const bodies = new Map<string, JsonObject>()
  for (const uri of await linkedUris(emulator)) {
    const body = await emulator.get(uri)
    const isSession = uri.startsWith(`${uris.sessions}/`)
    if (isObject(body)) bodies.set(isSession ? uris.session(SOME_SESSION) : uri, body)
  }
  const { rows, endpoints } = emulator.app
  const component = machine === 'bladed' ? 'PSU-1' : 'NIC-1'
  const { softwareId = '' } = loadMachine(machine).components.get(component) ?? {}
  const image = await bundleOf({ [component]: '99.0' }, { softwareId, sizeBytes: 2_000 })
  return { rows, endpoints, bodies, image, component }
}
