import { createHash } from 'node:crypto'
import type {
  ActivationJob,
  Flasher,
  FlashJob,
  FlashProblem,
  FlashResult,
} from '../../src/devices/flasher.ts'
import type { Clock } from '../../src/lib/clock.ts'
import { fail, succeed } from '../../src/lib/result.ts'

type Stage = 'transfer' | 'verify' | 'install' | 'activate'

/** What a device is to do instead of its work: a problem for a stage of a component, by `<Id> <stage>`. */
export type FlashPlan = Readonly<Record<string, FlashProblem>>

/** Devices that take no time and follow a plan where there is one; `calls` tells what they were asked to do. */
export function scriptedFlasher(
  clock: Pick<Clock, 'sleep'>,
  plan: FlashPlan = {},
): Flasher & { readonly calls: readonly string[] } {
  const calls: string[] = []
  const taken = new Map<string, string>()
  const key = ({ bmcId, component }: Pick<FlashJob, 'bmcId' | 'component'>): string =>
    `${bmcId} ${component.id}`

  const begin = async (job: ActivationJob, stage: Stage): Promise<FlashResult> => {
    const call = `${job.component.id} ${stage}`
    calls.push(call)
    await clock.sleep(0, job.signal)
    const problem = plan[call]
    if (problem !== undefined) return fail(problem)
    return job.hasPower() ? succeed(undefined) : fail({ kind: 'no-power' })
  }
  const done = ({ progress }: Pick<FlashJob, 'progress'>): FlashResult => {
    progress(1)
    return succeed(undefined)
  }

  return {
    calls,
    transfer: async (job) => {
      const begun = await begin(job, 'transfer')
      if (!begun.ok) return begun
      const { capacityBytes } = job.component.behaviour
      if (job.image.sizeBytes > capacityBytes) return fail({ kind: 'too-large', capacityBytes })
      const digest = createHash('sha256')
      for await (const chunk of job.image.read()) {
        job.signal.throwIfAborted()
        if (!job.hasPower()) return fail({ kind: 'no-power' })
        digest.update(chunk)
      }
      taken.set(key(job), digest.digest('hex'))
      return done(job)
    },
    verify: async (job) => {
      const begun = await begin(job, 'verify')
      if (!begun.ok) return begun
      return taken.get(key(job)) === job.image.sha256 ? done(job) : fail({ kind: 'corrupt' })
    },
    install: async (job) => {
      const begun = await begin(job, 'install')
      if (!begun.ok) return begun
      return taken.delete(key(job)) ? done(job) : fail({ kind: 'nothing-installed' })
    },
    activate: async (job) => {
      const begun = await begin(job, 'activate')
      return begun.ok ? done(job) : begun
    },
    release: (job) => {
      taken.delete(key(job))
    },
  }
}
