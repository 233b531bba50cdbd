import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'

const RESOLUTION_MS = 10
/** For what the collection of garbage itself held up, and what goes a moment after it. */
const AFTERMATH_MS = 100

/** What a process takes, and how late its event loop was since it was last asked. */
export interface Gauged {
  readonly heapBytes: number
  readonly rssBytes: number
  /** Timers, sockets and whatever else the process waits for. */
  readonly resources: number
  readonly lagP99Ms: number
  readonly lagMaxMs: number
}

/** Loaded into a server beside its own modules (`--import`): whatever its parent says, it answers with what it takes. */
const lag = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
lag.enable()
process.on('message', () => void answer())
process.channel?.unref()

async function answer(): Promise<void> {
  // What is recorded is how far its samples are apart.
  const late = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS)
  const [lagP99Ms, lagMaxMs] = [late(lag.percentile(99)), late(lag.max)]
  await collectGarbage()
  const { heapUsed, arrayBuffers, rss } = process.memoryUsage()
  await sleep(AFTERMATH_MS)
  lag.reset()
  const resources = process.getActiveResourcesInfo().length
  const heapBytes = heapUsed + arrayBuffers
  process.send?.({ heapBytes, rssBytes: rss, resources, lagP99Ms, lagMaxMs } satisfies Gauged)
}

/** Twice: the bytes of buffers that are garbage count until the next collection. */
async function collectGarbage(): Promise<void> {
  globalThis.gc?.()
  await sleep(AFTERMATH_MS)
  globalThis.gc?.()
}
