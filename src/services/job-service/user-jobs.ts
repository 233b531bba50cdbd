import { findAccount } from '../../bmc/accounts.ts'
import type { Bmc } from '../../bmc/bmc.ts'
import { commit } from '../../bmc/commit.ts'
import { jobLogged } from '../../bmc/log.ts'
import type { Logins } from '../../bmc/logins.ts'
import { nextChange } from '../../bmc/next-change.ts'
import type { Actor } from '../../bmc/actor.ts'
import type { Job } from '../../bmc/state.ts'
import type { SendInside } from '../../http/inside.ts'
import type { Clock } from '../../lib/clock.ts'
import { type Message, message } from '../../redfish/messages/message.ts'
import { uris } from '../../redfish/uris.ts'
import type { TaskEngine } from '../../tasks/engine.ts'
import type { JobEngine } from '../../tasks/job-engine.ts'
import { nextOccurrence } from '../../tasks/schedule.ts'
import type { Ending, WorkHandle } from '../../tasks/work.ts'
import { answerOf } from './answer.ts'
import { type Followed, Following } from './following.ts'
import type { JobWish } from './job-body.ts'

/** A job that recurs for years keeps what its latest occurrences said. */
const MAX_MESSAGES = 100

interface UserJobsOptions {
  readonly clock: Clock
  readonly jobs: JobEngine
  readonly logins: Logins
  readonly tasks: TaskEngine
  readonly send: SendInside
}

/** A job as it runs: what its maker asked for, and where it tells of itself. */
interface Running {
  readonly bmc: Bmc
  readonly id: string
  readonly maker: Actor
  readonly request: JobWish['request']
  readonly handle: WorkHandle
}

/** The jobs that users make: requests that are sent when their time has come, with what their makers may do then. */
export class UserJobs {
  readonly #options: UserJobsOptions
  readonly #following: Following

  constructor(options: UserJobsOptions) {
    this.#options = options
    const { tasks, jobs } = options
    this.#following = new Following({ tasks, jobs })
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
    const job: Job = jobs.start(bmc, {
      name,
      type: 'UserSpecified',
      actor: maker,
      payload,
      hidePayload,
      maxExecutionMs,
      schedule,
      startTime: nextOccurrence({ schedule, createdAt: now }, now - 1, 0),
      run: (handle) => this.#run({ bmc, id: job.id, maker, request, handle }),
    })
    return job
  }

  /** Whether what the job waits for can be stopped with it; true where it waits for nothing. */
  stopFollowed(bmc: Bmc, id: string): boolean {
    return this.#following.stop(bmc, id)
  }

  async #run(running: Running): Promise<Ending> {
    let last: Ending['state'] | undefined
    let after = jobOf(running.bmc, running.id).createdAt - 1
    for (let runs = 0; await this.#turn(running, { runs, after, last }); runs++) {
      last = await this.#occur(running, runs)
      if (last === undefined) return { state: 'Exception', status: 401 }
      after = this.#options.clock.now()
    }
    return { state: last ?? 'Completed', status: 200 }
  }

  /** Waits until the next occurrence is due, or is forced to start; false where there is none. */
  async #turn(running: Running, turn: Turn): Promise<boolean> {
    const { bmc, id, handle } = running
    const at = nextOccurrence(jobOf(bmc, id), turn.after, turn.runs)
    if (at === undefined) return false
    if (turn.last !== undefined) this.#logEnd(running, turn.last)
    if (at <= this.#options.clock.now()) return true
    const over = new AbortController()
    const forced = Promise.withResolvers<boolean>()
    const signal = AbortSignal.any([handle.signal, over.signal])
    try {
      const due = Promise.race([forced.promise, this.#due({ bmc, id, signal }, turn)])
      return await handle.wait({ for: 'condition', messages: [], goOn: () => forced.resolve(true) }, due)
    } finally {
      over.abort()
    }
  }

  /** As `turn`, by the clock alone; a new schedule holds at once. */
  async #due({ bmc, id, signal }: Due, { runs, after }: Turn): Promise<boolean> {
    const { clock, jobs } = this.#options
    for (let from = after; ; from = clock.now() - 1) {
      const { schedule, createdAt } = jobOf(bmc, id)
      const at = nextOccurrence({ schedule, createdAt }, from, runs)
      if (at === undefined) return false
      jobs.amend(bmc, id, { startTime: at })
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
    }
  }

  /** Sends the request and stays until what it started has ended; `undefined`: its maker may no longer come in. */
  async #occur(running: Running, runs: number): Promise<Ending['state'] | undefined> {
    const { bmc, id, maker, request, handle } = running
    this.#forgetOldMessages(bmc, id)
    await handle.checkpoint()
    // Nobody is there while the manager boots; what is due then is done when it is back.
    while (bmc.state.outage !== undefined)
      await nextChange(bmc, (change) => 'outage' in change, handle.signal)
    const refusal = this.#refusal(bmc, maker)
    if (refusal.length > 0) {
      this.#tell(running, refusal)
      return undefined
    }
    const answer = answerOf(await this.#options.send({ bmc, maker, ...request }))
    handle.signal.throwIfAborted()
    this.#tell(running, answer.messages)
    const ended =
      answer.task === undefined
        ? answer.state
        : await this.#follow(running, { table: 'tasks', id: answer.task }, runs)
    await handle.checkpoint()
    return ended
  }

  #follow({ bmc, id, handle }: Running, followed: Followed, runs: number): Promise<Ending['state']> {
    const { recurrenceIntervalMs, maxOccurrences = Infinity } = jobOf(bmc, id).schedule ?? {}
    const total = recurrenceIntervalMs === undefined ? 1 : maxOccurrences
    return this.#following.follow(
      { bmc, job: id, signal: handle.signal, followed },
      ({ messages, percent }) => handle.report({ messages, percent: (runs * 100 + percent) / total }),
    )
  }

  /** Why nobody can come in by this name now. */
  #refusal(bmc: Bmc, { username = '' }: Actor): readonly Message[] {
    if (this.#options.logins.openAccount(bmc, username) !== undefined) return []
    const account = findAccount(bmc.state.accounts, username)
    if (account === undefined) {
      return [
        message('Base.ResourceNotFound', 'ManagerAccount', username),
        message('Base.AccessUnauthorized'),
      ]
    }
    const key = account.isLocked ? 'AccountSecurity.AccountLocked' : 'AccountSecurity.AccountDisabled'
    return [message(key, username), message('Base.AccessUnauthorized')]
  }

  #tell(running: Running, messages: readonly Message[]): void {
    running.handle.report({ messages }, this.#logged(running, messages))
  }

  /** Of an occurrence that another follows: of the last one the engine tells. */
  #logEnd(running: Running, last: Ending['state']): void {
    const key = last === 'Completed' ? 'JobEvent.JobCompletedOK' : 'JobEvent.JobCompletedException'
    commit(running.bmc, this.#logged(running, [message(key, running.id)]))
  }

  #logged({ bmc, id, maker }: Running, messages: readonly Message[]) {
    const about = { origin: uris.job(id), actor: maker }
    return jobLogged(bmc, this.#options.clock.now(), about, messages)
  }

  #forgetOldMessages(bmc: Bmc, id: string): void {
    const job = jobOf(bmc, id)
    if (job.messages.length <= MAX_MESSAGES) return
    commit(bmc, { jobs: [[id, { ...job, messages: job.messages.slice(-MAX_MESSAGES) }]] })
  }
}

/** How often the job has run, until when, and how that ended. */
interface Turn {
  readonly runs: number
  readonly after: number
  readonly last: Ending['state'] | undefined
}

interface Due {
  readonly bmc: Bmc
  readonly id: string
  readonly signal: AbortSignal
}

function jobOf(bmc: Bmc, id: string): Job {
  const job = bmc.state.jobs.get(id)
  if (job === undefined) throw new Error(`job ${id} runs but does not exist`)
  return job
}
