import { fail, type Result, succeed } from '../lib/result.ts'
import { FetchError, type FetchProblem, type RemoteImage } from './fetcher.ts'

/** An image about to be read. */
export interface Source {
  readonly fileName: string
  /** What the source announces; any other number of bytes is a failure. */
  readonly sizeBytes: number | undefined
  /** The next bytes; `undefined` when there are no more. */
  readonly next: () => Promise<Uint8Array | undefined>
}

/** What a source is read through: there until the image has ended, whichever way. */
export interface Connection {
  readonly signal: AbortSignal
  readonly close: () => void | Promise<void>
}

/** Makes an image of what `open` finds; a FetchError of it is told as a value. The connection is closed in every case. */
export async function openSource(
  connection: Connection,
  open: () => Promise<Source>,
): Promise<Result<RemoteImage, FetchProblem>> {
  const held = hold(connection)
  try {
    const { fileName, sizeBytes, next } = await held.until(open)
    return succeed({ fileName, sizeBytes, body: bodyOf(held, sizeBytes, next) })
  } catch (error) {
    await held.close()
    if (error instanceof FetchError) return fail(error.problem)
    throw error
  }
}

interface Held {
  /** Does a step; rejects at once when the signal is aborted. */
  until<T>(step: () => Promise<T>): Promise<T>
  /** May be called again. */
  close(): Promise<void>
}

function hold({ signal, close }: Connection): Held {
  let cancelStep = (): void => undefined
  let closed: Promise<void> | undefined
  const end = (): Promise<void> => {
    signal.removeEventListener('abort', abort)
    closed ??= Promise.resolve(close())
    return closed
  }
  const abort = (): void => {
    cancelStep()
    // Whoever is cancelled waits for it in turn.
    end().catch(() => undefined)
  }
  signal.addEventListener('abort', abort, { once: true })
  if (signal.aborted) abort()
  return {
    until: async (step) => {
      signal.throwIfAborted()
      // One for each step: a race keeps what it came to for as long as any of its promises is open.
      const cancelled = Promise.withResolvers<never>()
      cancelStep = () => cancelled.reject(signal.reason)
      return Promise.race([step(), cancelled.promise])
    },
    close: end,
  }
}

// Not a generator: one that was never begun would not close its connection when it is left.
function bodyOf(held: Held, sizeBytes: number | undefined, next: Source['next']): AsyncIterable<Uint8Array> {
  let receivedBytes = 0
  let isOver = false
  const end = async (): Promise<{ readonly done: true; readonly value: undefined }> => {
    isOver = true
    await held.close()
    return { done: true, value: undefined }
  }
  const iterator: AsyncIterator<Uint8Array, undefined> = {
    next: async () => {
      if (isOver) return end()
      try {
        const bytes = await held.until(next)
        receivedBytes += bytes?.byteLength ?? 0
        if (bytes !== undefined) return { done: false, value: bytes }
        if (receivedBytes === (sizeBytes ?? receivedBytes)) return await end()
        throw interrupted(`${receivedBytes} bytes came where ${sizeBytes} were announced`)
      } catch (error) {
        await end()
        throw error
      }
    },
    return: end,
  }
  return { [Symbol.asyncIterator]: () => iterator }
}

export function interrupted(detail: string): FetchError {
  return new FetchError({ kind: 'interrupted', detail })
}
