import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { VirtualClock } from '../../src/lib/clock.ts'
import { ANYWHERE, parseImageSources } from '../../src/transfer/addresses.ts'
import { createFetcher, type FetcherOptions } from '../../src/transfer/fetch.ts'
import type { FetchError, FetchProblem, FetchRequest, RemoteImage } from '../../src/transfer/fetcher.ts'

/** What a source can do with its image. */
export type Behaviour =
  /** Serves it, to those who have the right password where it knows passwords. */
  | 'serves'
  /** Has none of that name. */
  | 'misses'
  /** Wants another password. */
  | 'denies'
  /** Ends after half of it, and does not say how the rest could be had. */
  | 'cuts'
  /** Says nothing more after half of it. */
  | 'stalls'
  /** Takes the connection and says nothing. */
  | 'hangs'

export interface SourceUnderTest extends Partial<Omit<FetchRequest, 'signal'>> {
  /** Ends with `/image.bin`. */
  readonly uri: URL
  /** The connections that are open now, as the server sees them. */
  readonly connections: () => number
  /** The bytes of images that the server has given away, where it can tell. */
  readonly sentBytes?: () => number
  readonly folders?: FetcherOptions['folders']
}

export type StartSource = (behaviour: Behaviour, image: Uint8Array) => Promise<SourceUnderTest>

export interface SourceMaking {
  readonly start: StartSource
  /** What cannot happen to such a source. */
  readonly except?: readonly (Behaviour | 'refuses')[]
  /** Why there is no such source on this machine. */
  readonly absent?: string | undefined
}

const STALL_MS = 60_000
const MIB = 2 ** 20
export const noIdentity = {
  trustedCertificates: undefined,
  clientCertificate: undefined,
  trustedHostKeys: undefined,
  sshKey: undefined,
}

/** What every Fetcher must do, watched by `createFetcher`; each implementation applies it once. */
export function fetcherContract(name: string, { start, except = [], absent }: SourceMaking): void {
  const testUnless = (what: Behaviour | 'refuses') => (except.includes(what) ? test.skip : test)

  const skipped = absent === undefined ? '' : ` (skipped: ${absent})`
  describe.skipIf(absent !== undefined)(`${name}: a fetcher${skipped}`, () => {
    test.each([
      ['of one byte', 1],
      ['of one block of any size', 8_192],
      ['that ends within a block', 3 * MIB + 7],
    ])('brings an image %s as it was, in chunks', async (_what, size) => {
      const image = randomBytes(size)
      const { opened } = await open(start, 'serves', image)
      const remote = given(await opened)
      const chunks: Uint8Array[] = []
      for await (const chunk of remote.body) chunks.push(chunk)
      expect(Buffer.concat(chunks).equals(image)).toBe(true)
      expect(Math.max(...chunks.map(({ byteLength }) => byteLength))).toBeLessThanOrEqual(MIB)
      expect([undefined, size]).toContain(remote.sizeBytes)
      expect(remote.fileName).toBe('image.bin')
    })

    test('holds no more than some of it for a reader that is slow', async () => {
      const image = randomBytes(MIB)
      const whole = Buffer.concat(Array.from({ length: 64 }, () => image))
      const { opened, source } = await open(start, 'serves', whole)
      const { sentBytes } = source
      let [read, ahead] = [0, 0]
      for await (const chunk of given(await opened).body) {
        read += chunk.byteLength
        for (let turns = 0; turns < 4; turns++) await nextTurn()
        ahead = Math.max(ahead, (sentBytes?.() ?? 0) - read)
      }
      expect(read).toBe(whole.byteLength)
      expect(ahead).toBeLessThan(32 * MIB)
    })

    testUnless('misses')('tells that there is no such image', async () => {
      const { opened, closed } = await open(start, 'misses')
      expect(await opened).toEqual({ ok: false, problem: { kind: 'missing' } })
      await closed()
    })

    testUnless('denies')('tells that its credentials are not right', async () => {
      const { opened, closed } = await open(start, 'denies')
      expect(await opened).toMatchObject({ ok: false, problem: { kind: 'unauthorized' } })
      await closed()
    })

    testUnless('refuses')('tells that nobody is there', async () => {
      const { source, fetch } = await started(start, 'serves')
      const uri = new URL(source.uri)
      uri.port = String(await freePort())
      expect(await fetch({ uri })).toMatchObject({ ok: false, problem: { kind: 'no-connection' } })
    })

    testUnless('refuses')('does not go where it may not', async () => {
      const { source, fetch } = await started(start, 'serves', { policy: () => false })
      expect(await fetch({})).toEqual({
        ok: false,
        problem: { kind: 'address-refused', address: '127.0.0.1' },
      })
      expect(source.connections()).toBe(0)
    })

    testUnless('cuts')('tells that its source has gone within the image', async () => {
      const { opened, closed } = await open(start, 'cuts', randomBytes(MIB))
      // A source may be gone before its first bytes were looked at.
      const answered = await opened
      const problem = answered.ok ? await problemIn(answered.value) : answered.problem
      expect(problem).toMatchObject({ kind: 'interrupted' })
      await closed()
    })

    testUnless('stalls')('gives a source up that stops within the image', async () => {
      const { opened, clock, closed } = await open(start, 'stalls', randomBytes(MIB))
      const failed = problemIn(given(await opened))
      expect(await meanwhile(clock, failed)).toEqual({ kind: 'timeout' })
      await closed()
    })

    testUnless('hangs')('gives a source up that never begins', async () => {
      const { opened, clock, source, closed } = await open(start, 'hangs')
      await expect.poll(source.connections).toBe(1)
      const answered = await meanwhile(clock, opened)
      expect(answered).toEqual({ ok: false, problem: { kind: 'timeout' } })
      await closed()
    })

    testUnless('hangs')('is cancelled while it waits for a beginning, with the reason given', async () => {
      const { opened, source, cancel, closed } = await open(start, 'hangs')
      await expect.poll(source.connections).toBe(1)
      cancel.abort(new Error('enough'))
      await expect(opened).rejects.toThrow('enough')
      await closed()
    })

    testUnless('stalls')('is cancelled within the image, with the reason given', async () => {
      const { opened, cancel, closed } = await open(start, 'stalls', randomBytes(MIB))
      const failed = problemIn(given(await opened), () => cancel.abort(new Error('enough')))
      await expect(failed).rejects.toThrow('enough')
      await closed()
    })

    test('leaves nothing open, whether an image is read, left or never looked at', async () => {
      const ways: readonly ((image: RemoteImage, cancel: AbortController) => unknown)[] = [
        async ({ body }) => {
          let read = 0
          for await (const chunk of body) read += chunk.byteLength
          expect(read).toBe(4 * MIB)
        },
        async ({ body }) => {
          for await (const chunk of body) {
            expect(chunk.byteLength).toBeGreaterThan(0)
            break
          }
        },
        ({ body }) => body[Symbol.asyncIterator]().return?.(),
        (_image, cancel) => cancel.abort(new Error('not wanted')),
      ]
      for (const way of ways) {
        const { opened, cancel, closed } = await open(start, 'serves', randomBytes(4 * MIB))
        await way(given(await opened), cancel)
        await closed()
      }
    })

    test('does not begin when it is cancelled already', async () => {
      const { fetch, source } = await started(start, 'serves')
      await expect(fetch({ signal: AbortSignal.abort(new Error('too late')) })).rejects.toThrow('too late')
      expect(source.connections()).toBe(0)
    })
  })
}

/** A source, and how it is asked; on a clock that a test moves. */
export async function started(
  start: StartSource,
  behaviour: Behaviour,
  options: Partial<FetcherOptions> & { readonly image?: Uint8Array } = {},
) {
  const { image = randomBytes(1_000), ...rest } = options
  const source = await start(behaviour, image)
  const clock = new VirtualClock()
  const { policy, folders = source.folders ?? new Map<string, string>() } = rest
  const fetcher = createFetcher({ clock, stallMs: STALL_MS, ...rest, folders, policy: policy ?? anywhere })
  const cancel = new AbortController()
  onTestFinished(() => cancel.abort(new Error('the test has ended')))
  return {
    source,
    clock,
    cancel,
    fetch: (request: Partial<FetchRequest>) =>
      fetcher.open({
        uri: source.uri,
        username: source.username,
        password: source.password,
        identity: source.identity ?? noIdentity,
        signal: cancel.signal,
        ...request,
      }),
    /** Resolves when the server sees no connection any more. */
    closed: async () => {
      await expect.poll(source.connections).toBe(0)
    },
  }
}

async function open(start: StartSource, behaviour: Behaviour, image?: Uint8Array) {
  const asked = await started(start, behaviour, image && { image })
  return { ...asked, opened: asked.fetch({}) }
}

type Opened = Awaited<ReturnType<Awaited<ReturnType<typeof started>>['fetch']>>

/** The image, where there is one. */
export function given(opened: Opened): RemoteImage {
  if (!opened.ok) throw new Error(`no image: ${JSON.stringify(opened.problem)}`)
  return opened.value
}

/** Asks a source for its image, or for what else the request says. */
export async function ask(
  source: SourceUnderTest,
  request: Partial<FetchRequest> = {},
  options: Partial<FetcherOptions> = {},
): Promise<Opened> {
  const { fetch } = await started(async () => source, 'serves', options)
  return fetch(request)
}

/** All of an image. */
export async function bytesOf(opened: Opened): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of given(opened).body) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** What ends the stream of an image; `onFirst` is called once something has come. */
export async function problemIn({ body }: RemoteImage, onFirst = (): void => {}): Promise<FetchProblem> {
  let read = 0
  try {
    for await (const chunk of body) {
      if (read === 0) onFirst()
      read += chunk.byteLength
    }
  } catch (error) {
    const { problem } = error as Partial<FetchError>
    if (problem === undefined) throw error
    return problem
  }
  throw new Error('nothing was wrong')
}

/** Moves the clock until something that waits for it has ended; the network is not waited for. */
export async function meanwhile<T>(clock: VirtualClock, work: Promise<T>): Promise<T> {
  const state = { isOver: false }
  const end = (): void => void (state.isOver = true)
  work.then(end, end)
  while (!state.isOver) {
    await nextTurn()
    await clock.advance(1_000)
  }
  return work
}

function anywhere(address: string, host: string): boolean {
  return parseImageSources(ANYWHERE)?.(address, host) === true
}

async function freePort(): Promise<number> {
  const nobody = createServer().listen(0, '127.0.0.1')
  await once(nobody, 'listening')
  const { port } = nobody.address() as AddressInfo
  nobody.close()
  await once(nobody, 'close')
  return port
}
