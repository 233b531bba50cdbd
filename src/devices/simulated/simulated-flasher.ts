import { createHash, type Hash } from 'node:crypto'
import { type Clock, deviceClock } from '../../lib/clock.ts'
import { fail, succeed } from '../../lib/result.ts'
import type { ActivationJob, Flasher, FlashJob, FlashResult } from '../flasher.ts'

/** Progress reports per stage: often enough for a steady bar. */
const STEPS = 20
/** The device sleeps when it is this far ahead of its bandwidth: finer timers would only cost. */
const PACE_MS = 50

/** A flash chip's memory of what was sent to it. */
interface Buffered {
  readonly digest: Hash
  sizeBytes: number
}

/**
 * Devices that behave as their machine's data says: they take bytes at their bandwidth into a flash region of limited
 * size, verify what they took, install and activate in their time, and need the power of the system they sit in.
 */
export function createSimulatedFlasher(clock: Clock): Flasher {
  const buffers = new Map<string, Buffered>()

  const transfer = async (job: FlashJob): Promise<FlashResult> => {
    const { bandwidthBytesPerSecond, capacityBytes } = job.component.behaviour
    if (!job.hasPower()) return fail({ kind: 'no-power' })
    if (job.image.sizeBytes > capacityBytes) return fail({ kind: 'too-large', capacityBytes })
    const time = deviceClock(clock, job.speed)
    const buffered: Buffered = { digest: createHash('sha256'), sizeBytes: 0 }
    let unpaidMs = 0
    for await (const chunk of job.image.read()) {
      const wait = clock.breathe()
      if (wait !== undefined) await wait
      job.signal.throwIfAborted()
      buffered.digest.update(chunk)
      buffered.sizeBytes += chunk.byteLength
      unpaidMs += (chunk.byteLength / bandwidthBytesPerSecond) * 1_000
      if (unpaidMs >= PACE_MS) {
        await time.sleep(unpaidMs, job.signal)
        unpaidMs = 0
      }
      if (!job.hasPower()) return fail({ kind: 'no-power' })
      job.progress(buffered.sizeBytes / job.image.sizeBytes)
    }
    await time.sleep(unpaidMs, job.signal)
    buffers.set(key(job), buffered)
    return succeed(undefined)
  }

  const verify = async (job: FlashJob): Promise<FlashResult> => {
    const worked = await work(clock, job, job.component.behaviour.verifyMs)
    if (!worked.ok) return worked
    const buffered = buffers.get(key(job))
    const intact =
      buffered?.sizeBytes === job.image.sizeBytes && buffered.digest.copy().digest('hex') === job.image.sha256
    return intact ? succeed(undefined) : fail({ kind: 'corrupt' })
  }

  const install = async (job: FlashJob): Promise<FlashResult> => {
    if (!buffers.delete(key(job))) return fail({ kind: 'nothing-installed' })
    return work(clock, job, job.component.behaviour.installMs)
  }

  return {
    transfer,
    verify,
    install,
    activate: (job) => work(clock, job, job.component.behaviour.activateMs),
    release: (job) => {
      buffers.delete(key(job))
    },
    forget: (bmcId) => {
      for (const known of buffers.keys()) if (known.startsWith(`${bmcId}\0`)) buffers.delete(known)
    },
  }
}

/** The device is busy for `ms`, as long as it has power. */
async function work(clock: Clock, job: ActivationJob, ms: number): Promise<FlashResult> {
  const time = deviceClock(clock, job.speed)
  for (let step = 1; step <= STEPS; step++) {
    if (!job.hasPower()) return fail({ kind: 'no-power' })
    await time.sleep(ms / STEPS, job.signal)
    job.progress(step / STEPS)
  }
  return succeed(undefined)
}

function key(job: Pick<FlashJob, 'bmcId' | 'component'>): string {
  return `${job.bmcId}\0${job.component.id}`
}
