import type { Actor } from '../../bmc/actor.ts'
import type { Bmc } from '../../bmc/bmc.ts'
import { commit } from '../../bmc/commit.ts'
import { nextChange } from '../../bmc/next-change.ts'
import type { Change, Job } from '../../bmc/state.ts'
import { message } from '../../redfish/messages/message.ts'
import { lastSegment } from '../../redfish/uris.ts'
import { isFinalJob } from '../../tasks/job.ts'
import type { JobWork } from '../../tasks/job-engine.ts'
import { dueOccurrence, nextOccurrence } from '../../tasks/schedule.ts'
import type { Ending } from '../../tasks/work.ts'
import type { JobWish } from './job-body.ts'
import { changed, jobOf, type OccurrenceOptions, Occurrences, recordOf, type Running } from './occurrences.ts'

/** The jobs that users make: requests that are sent when their time has come, with what their makers may do then. */
export class UserJobs {
  readonly #options: OccurrenceOptions
  readonly #occurrences: Occurrences

  constructor(options: OccurrenceOptions) {
    this.#options = options
    this.#occurrences = new Occurrences(options)
  }

  /** Whether there will ever be an occurrence of a job that is as this one. */
  willRun({
    schedule,
    createdAt = this.#options.clock.now(),
  }: Pick<Partial<Job>, 'schedule' | 'createdAt'>): boolean {
    return nextOccurrence({ schedule, createdAt }, this.#options.clock.now() - 1, 0) !== undefined
  }

  start(bmc: Bmc, wish: JobWish, maker: Actor): Job {
    const { name, request, payload, hidePayload, maxExecutionMs, schedule } = wish
    const { jobs, clock } = this.#options
    const now = clock.now()
    return jobs.start(bmc, {
      name,
      type: 'UserSpecified',
      actor: maker,
      payload,
      hidePayload,
      maxExecutionMs,
      schedule,
      startTime: nextOccurrence({ schedule, createdAt: now }, now - 1, 0),
      also: (id) => ({ userJobs: [[id, { maker, request, runs: 0, after: now - 1 }]] }),
      ...this.#work(bmc),
    })
  }

  /** Goes on with what an earlier run of the service left. */
  takeUp(bmc: Bmc): void {
    for (const id of bmc.state.userJobs.keys()) {
      const job = bmc.state.jobs.get(id)
      if (job === undefined || isFinalJob(job.state)) commit(bmc, forgotten(id))
      else this.#options.jobs.takeUp(bmc, id, this.#work(bmc))
    }
  }

  /** Whether what the job waits for can be stopped with it; true where it waits for nothing. */
  stopFollowed(bmc: Bmc, id: string, by: Actor): boolean {
    return this.#occurrences.stop(bmc, id, by)
  }

  #work(bmc: Bmc): Pick<JobWork, 'run' | 'onOver'> {
    return {
      run: (handle) => this.#run({ bmc, id: lastSegment(handle.uri), handle }),
      onOver: (id) => commit(bmc, forgotten(id)),
    }
  }

  async #run(running: Running): Promise<Ending> {
    while (recordOf(running).occurrence !== undefined || (await this.#turn(running))) {
      const isIn = await this.#occurrences.goOn(running)
      if (!isIn) return { state: 'Exception', status: 401 }
    }
    const { last } = recordOf(running)
    if (last !== undefined) return { state: last, status: 200 }
    // Its time passed while nobody was there.
    this.#occurrences.tell(running, [message('Base.OperationFailed')])
    return { state: 'Exception', status: 500 }
  }

  /** Waits until the next occurrence is due, or is forced to start; false where there is none. */
  async #turn(running: Running): Promise<boolean> {
    const { bmc, handle } = running
    if (handle.isSuspended) await handle.checkpoint()
    const at = this.#next(running)
    if (at === undefined) return false
    if (at <= this.#options.clock.now()) return true
    const over = new AbortController()
    const forced = Promise.withResolvers<boolean>()
    const signal = AbortSignal.any([handle.signal, over.signal])
    const goOn = (): void => {
      commit(bmc, changed(running, { occurrence: { at: 'due' } }))
      forced.resolve(true)
    }
    try {
      const due = Promise.race([forced.promise, this.#due(running, signal)])
      return await handle.wait({ for: 'condition', messages: [], goOn }, due)
    } finally {
      over.abort()
    }
  }

  /** As `turn`, by the clock alone; a new schedule holds at once. */
  async #due(running: Running, signal: AbortSignal): Promise<boolean> {
    const { bmc, id } = running
    const { clock, jobs } = this.#options
    for (;;) {
      const { schedule, startTime } = jobOf(running)
      const at = this.#next(running)
      if (at === undefined) return false
      if (at !== startTime) jobs.amend(bmc, id, { startTime: at })
      const sleeping = new AbortController()
      const isNew = (): boolean => bmc.state.jobs.get(id)?.schedule !== schedule
      const any = AbortSignal.any([signal, sleeping.signal])
      try {
        const isDue = await Promise.race([
          clock.sleep(Math.max(0, at - clock.now()), any).then(() => true),
          nextChange(bmc, isNew, any).then(() => false),
        ])
        if (isDue) return true
      } finally {
        sleeping.abort()
      }
      commit(bmc, changed(running, { after: clock.now() - 1 }))
    }
  }

  #next(running: Running): number | undefined {
    return dueOccurrence(jobOf(running), recordOf(running), this.#options.clock.now())
  }
}

function forgotten(id: string): Pick<Change, 'userJobs'> {
  return { userJobs: [[id, undefined]] }
}
