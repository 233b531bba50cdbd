import { findAccount } from '../../bmc/accounts.ts'
import type { Actor } from '../../bmc/actor.ts'
import type { Bmc } from '../../bmc/bmc.ts'
import { commit } from '../../bmc/commit.ts'
import { jobLogged } from '../../bmc/log.ts'
import type { Logins } from '../../bmc/logins.ts'
import { nextChange } from '../../bmc/next-change.ts'
import type { Change, Job } from '../../bmc/state.ts'
import type { Followed, UserJob } from '../../bmc/user-job.ts'
import type { SendInside } from '../../http/inside.ts'
import type { Clock } from '../../lib/clock.ts'
import { type Message, message } from '../../redfish/messages/message.ts'
import { uris } from '../../redfish/uris.ts'
import type { TaskEngine } from '../../tasks/engine.ts'
import type { JobEngine } from '../../tasks/job-engine.ts'
import { nextOccurrence } from '../../tasks/schedule.ts'
import type { Ending, WorkHandle } from '../../tasks/work.ts'
import type { Rollouts } from '../../console/rollouts/rollouts.ts'
import { answerOf } from './answer.ts'
import { Following } from './following.ts'

/** A job that recurs for years keeps what its latest occurrences said. */
const MAX_MESSAGES = 100

export interface OccurrenceOptions {
  readonly clock: Clock
  readonly jobs: JobEngine
  readonly tasks: TaskEngine
  readonly rollouts: Pick<Rollouts, 'cancel'>
  readonly logins: Logins
  readonly send: SendInside
}

/** A job as it runs, and where it tells of itself. */
export interface Running {
  readonly bmc: Bmc
  readonly id: string
  readonly handle: WorkHandle
}

/** What jobs of users do when their time has come: each occurrence from its request to the end of what that started. */
export class Occurrences {
  readonly #options: OccurrenceOptions
  readonly #following: Following

  constructor(options: OccurrenceOptions) {
    this.#options = options
    const { tasks, jobs, rollouts } = options
    this.#following = new Following({
      tasks,
      jobs: {
        cancel: (bmc, id, by) =>
          bmc.state.jobs.get(id)?.rollout === undefined ? jobs.cancel(bmc, id) : rollouts.cancel(bmc, id, by),
      },
    })
  }

  /** Ends what a job follows; true where it follows nothing. */
  stop(bmc: Bmc, id: string, by: Actor): boolean {
    const occurrence = bmc.state.userJobs.get(id)?.occurrence
    return occurrence?.at !== 'followed' || this.#following.stop(bmc, occurrence, by)
  }

  /** Goes on with an occurrence, from where it is to its end; false where its maker may no longer come in. */
  async goOn(running: Running): Promise<boolean> {
    const { occurrence } = recordOf(running)
    if (occurrence?.at === 'followed') await this.#follow(running, occurrence)
    // Nobody heard the answer, and what is sent again might be done twice.
    else if (occurrence?.at === 'sent') this.#over(running, 'Exception', [message('Base.OperationFailed')])
    else return this.#begin(running)
    return true
  }

  /** Sends the request and stays until what it started has ended; false as above. */
  async #begin(running: Running): Promise<boolean> {
    const { bmc, handle } = running
    this.#forgetOldMessages(running)
    // Nobody is there while the manager boots; what is due then is done when it is back.
    while (bmc.state.outage !== undefined)
      await nextChange(bmc, (change) => 'outage' in change, handle.signal)
    const { maker, request } = recordOf(running)
    const refusal = this.#refusal(bmc, maker)
    if (refusal.length > 0) {
      this.tell(running, refusal)
      return false
    }
    commit(bmc, changed(running, { occurrence: { at: 'sent' } }))
    const { task, state, messages } = answerOf(await this.#options.send({ bmc, maker, ...request }))
    handle.signal.throwIfAborted()
    if (task === undefined) this.#over(running, state, messages)
    else await this.#follow(running, { table: 'tasks', id: task, told: 0 })
    return true
  }

  async #follow(running: Running, followed: Followed): Promise<void> {
    const { bmc, handle } = running
    const { recurrenceIntervalMs, maxOccurrences = Infinity } = jobOf(running).schedule ?? {}
    const total = recurrenceIntervalMs === undefined ? 1 : maxOccurrences
    const { runs } = recordOf(running)
    commit(bmc, changed(running, { occurrence: { at: 'followed', ...followed } }))
    const state = await this.#following.follow({ bmc, signal: handle.signal, followed }, (news) => {
      const { messages, percent, followed: now } = news
      const isSame = messages.length === 0 && now.table === followed.table
      const also = isSame ? {} : changed(running, { occurrence: { at: 'followed', ...now } })
      const created = now.table === 'jobs' ? [uris.job(now.id)] : []
      handle.report({ messages, percent: (runs * 100 + percent) / total, created }, also)
    })
    this.#over(running, state)
  }

  /** An occurrence has ended. Of the last one the engine tells. */
  #over(running: Running, last: Ending['state'], messages: readonly Message[] = []): void {
    const { handle, id } = running
    const after = this.#options.clock.now()
    const runs = recordOf(running).runs + 1
    const isLast = nextOccurrence(jobOf(running), after, runs) === undefined
    const key = last === 'Completed' ? 'JobEvent.JobCompletedOK' : 'JobEvent.JobCompletedException'
    handle.report(
      { messages },
      {
        ...changed(running, { runs, last, after, occurrence: undefined }),
        ...this.#logged(running, isLast ? messages : [...messages, message(key, id)]),
      },
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

  tell(running: Running, messages: readonly Message[]): void {
    running.handle.report({ messages }, this.#logged(running, messages))
  }

  #logged(running: Running, messages: readonly Message[]) {
    const { bmc, id } = running
    const about = { origin: uris.job(id), actor: recordOf(running).maker }
    return jobLogged(bmc, this.#options.clock.now(), about, messages)
  }

  #forgetOldMessages(running: Running): void {
    const job = jobOf(running)
    if (job.messages.length <= MAX_MESSAGES) return
    commit(running.bmc, { jobs: [[job.id, { ...job, messages: job.messages.slice(-MAX_MESSAGES) }]] })
  }
}

export function jobOf({ bmc, id }: Pick<Running, 'bmc' | 'id'>): Job {
  const job = bmc.state.jobs.get(id)
  if (job === undefined) throw new Error(`job ${id} runs but does not exist`)
  return job
}

export function recordOf({ bmc, id }: Running): UserJob {
  const record = bmc.state.userJobs.get(id)
  if (record === undefined) throw new Error(`job ${id} runs and nobody knows what it is to do`)
  return record
}

/** More is known of what a job does. */
export function changed(running: Running, news: Partial<UserJob>): Pick<Change, 'userJobs'> {
  return { userJobs: [[running.id, { ...recordOf(running), ...news }]] }
}
