import { type DeviceStageName, type PlannedFault, plannedFaults } from '../bmc/device-faults.ts'
import type { ActivationJob, Flasher, FlashJob, FlashResult } from '../devices/flasher.ts'
import type { Clock } from '../lib/clock.ts'
import { fail, succeed } from '../lib/result.ts'

/** A job of any stage: only activation comes without an image. */
type Job = ActivationJob & Partial<Pick<FlashJob, 'image'>>
type Stage<J> = (job: J) => Promise<FlashResult>

/** What was injected where, for the log. */
export interface InjectedFault {
  readonly bmcId: string
  readonly component: string
  readonly at: DeviceStageName
  readonly how: PlannedFault['how']
}

interface Surroundings {
  readonly clock: Pick<Clock, 'sleep'>
  /** Told of every fault as it strikes. */
  readonly struck?: (fault: InjectedFault) => void
}

/**
 * Devices that fail as the behaviour of their components plans it, and are otherwise those that are given: each fault is
 * a wrapper around a stage, and a stage may have several.
 */
export function withFaults(flasher: Flasher, { clock, struck = () => {} }: Surroundings): Flasher {
  const at =
    <J extends Job>(stage: DeviceStageName, run: Stage<J>): Stage<J> =>
    (job) => {
      const { bmcId, component, version, strikes } = job
      const wrapped = plannedFaults(component.behaviour).reduce<Stage<J>>((inner, fault, index) => {
        const name = `${index} ${stage} ${fault.how}`
        const isFor = fault.versions?.includes(version) ?? true
        if (fault.at !== stage || !isFor || strikes.of(name) >= fault.times) return inner
        return faulty(inner, fault, clock, () => {
          if (fault.times < Infinity) strikes.add(name)
          struck({ bmcId, component: component.id, at: stage, how: fault.how })
        })
      }, run)
      return wrapped(job)
    }

  return {
    transfer: at('transfer', (job: FlashJob) => flasher.transfer(job)),
    verify: at('verify', (job: FlashJob) => flasher.verify(job)),
    install: at('install', (job: FlashJob) => flasher.install(job)),
    activate: at('activate', (job: ActivationJob) => flasher.activate(job)),
    ...(flasher.inquiry && { inquiry: flasher.inquiry.bind(flasher) }),
    ...(flasher.withdrawal && { withdrawal: flasher.withdrawal.bind(flasher) }),
    release: (job) => flasher.release(job),
    forget: (bmcId) => flasher.forget?.(bmcId),
  }
}

/** A stage with one fault; `strike` is called when it strikes. */
function faulty<J extends Job>(
  run: Stage<J>,
  { how, after, factor }: PlannedFault,
  clock: Pick<Clock, 'sleep'>,
  strike: () => void,
): Stage<J> {
  switch (how) {
    case 'fails':
    case 'loses-power':
      return async (job) => {
        const end = await runUntil(run, job, after)
        if (end !== 'reached') return end
        strike()
        return fail({ kind: how === 'fails' ? 'failed' : 'no-power' })
      }
    case 'hangs':
      return async (job) => {
        const end = await runUntil(run, job, after)
        if (end !== 'reached') return end
        strike()
        // Ends by the signal only: the device never says anything again.
        await clock.sleep(Infinity, job.signal)
        return fail({ kind: 'failed' })
      }
    case 'slow':
      return (job) => {
        strike()
        return run(slowed(job, factor))
      }
    case 'corrupts':
      return (job) => {
        strike()
        return run(corrupted(job))
      }
    case 'wrong-version':
      return async (job) => {
        const result = await run(job)
        if (!result.ok) return result
        strike()
        return succeed({ version: job.component.now.version })
      }
  }
}

/** Runs a stage up to this share of it and stops it there, unless it comes to an end of its own before. */
async function runUntil<J extends Job>(
  run: Stage<J>,
  job: J,
  share: number,
): Promise<FlashResult | 'reached'> {
  job.signal.throwIfAborted()
  if (share === 0) return 'reached'
  const reached = new Error('as far as the fault lets it come')
  const stop = new AbortController()
  const progress = (now: number): void => {
    if (stop.signal.aborted) return
    job.progress(Math.min(now, share))
    if (now >= share) stop.abort(reached)
  }
  try {
    const result = await run({ ...job, progress, signal: AbortSignal.any([job.signal, stop.signal]) })
    return stop.signal.aborted ? 'reached' : result
  } catch (error) {
    if (error === reached) return 'reached'
    throw error
  }
}

function slowed<J extends Job>(job: J, factor: number): J {
  const { bandwidthBytesPerSecond, verifyMs, installMs, activateMs } = job.component.behaviour
  const behaviour = {
    ...job.component.behaviour,
    bandwidthBytesPerSecond: bandwidthBytesPerSecond / factor,
    verifyMs: verifyMs * factor,
    installMs: installMs * factor,
    activateMs: activateMs * factor,
  }
  return { ...job, component: { ...job.component, behaviour } }
}

/** The same job, of which the device receives other bytes. */
function corrupted<J extends Job>(job: J): J {
  const { image } = job
  if (image === undefined) return job
  return { ...job, image: { ...image, read: (...range) => inverted(image.read(...range)) } }
}

async function* inverted(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  for await (const chunk of chunks) yield chunk.map((byte) => byte ^ 0xff)
}
