import type { Bmc } from '../bmc/bmc.ts'
import { commit } from '../bmc/commit.ts'
import { nextNumber } from '../bmc/numbers.ts'
import { audited, jobLogged } from '../bmc/log.ts'
import type { Actor } from '../bmc/actor.ts'
import type { Change, Job, JobPayload, Schedule } from '../bmc/state.ts'
import type { Clock } from '../lib/clock.ts'
import type { Message } from '../redfish/messages/message.ts'
import {
  endedJob,
  endingOfJob,
  isFinalJob,
  jobEndMessage,
  jobKey,
  jobStartMessage,
  jobUri,
  newStep,
  phaseOfJob,
  progressedJob,
  toldOfSteps,
} from './job.ts'
import type { Kind } from './kind.ts'
import { failLost, LiveWorks } from './live-works.ts'
import { told } from './progress.ts'
import { givingWay, goneJobs, wholes } from './retention.ts'
import type { Ending, WorkHandle } from './work.ts'
import { ofEach } from '../lib/of-each.ts'

/** At this many jobs the oldest finished one gives way. */
export const MAX_JOBS = 500

export interface JobWork {
  /** As clients see it; one of the service's own gets its number added. */
  readonly name: string
  readonly actor?: Actor | undefined
  readonly type: Job['type']
  readonly run: (handle: WorkHandle) => Promise<Ending>
  /** Which messages of its steps the job tells, too; resets that they wait for it always tells. All unless given. */
  readonly exposes?: (message: Message) => boolean
  readonly maxExecutionMs?: number | undefined
  /** The operation that it goes on with: its task's number. */
  readonly group?: number | undefined
  /** The resources that it works on. */
  readonly targets?: readonly string[] | undefined
  /** When it is to begin, where that is later. */
  readonly startTime?: number | undefined
  readonly payload?: JobPayload | undefined
  readonly hidePayload?: boolean
  readonly schedule?: Schedule | undefined
  /** What it asks devices for, and its steps, where they are known from the beginning: its work tells what becomes of them. */
  readonly request?: Pick<Job, 'request' | 'requestDevices'>
  readonly steps?: readonly Pick<Job, 'name' | 'asked'>[]
  /** What else begins with the job of this Id, and what is to be done when its work is over. */
  readonly also?: (id: string) => Change
  readonly onOver?: (id: string) => void
}

/** What a job's work is after a restart; the rest its record tells. */
export type ResumedJobWork = Pick<JobWork, 'run' | 'exposes' | 'targets' | 'onOver'>

/** Runs the jobs of all BMCs: holds them, lets them go on, ends them, keeps them. */
export class JobEngine {
  readonly #clock: Clock
  readonly #works: LiveWorks<Job>
  readonly #limits = ofEach<Bmc, Map<string, () => void>>(() => new Map())

  constructor(clock: Clock, failed: (error: unknown) => void) {
    this.#clock = clock
    this.#works = new LiveWorks(clock, failed)
  }

  /** Whether another job fits: a table full of unfinished ones takes none. */
  hasRoom({ state: { jobs } }: Bmc): boolean {
    return wholes(jobs).length < MAX_JOBS || givingWay(jobs, MAX_JOBS).length > 0
  }

  /** The change that makes room for another job. */
  making({ state }: Bmc): Pick<Change, 'jobs' | 'rollouts'> {
    return goneJobs(state, givingWay(state.jobs, MAX_JOBS))
  }

  /** Creates a job and starts its work; returns as soon as the job exists. */
  start(bmc: Bmc, work: JobWork): Job {
    const { name, actor, type, group, startTime, maxExecutionMs, payload, hidePayload, schedule } = work
    const { request, steps = [] } = work
    const id = String(nextNumber(bmc, 'jobs'))
    const job: Job = {
      id,
      name: type === 'UserSpecified' ? name : `${name} ${id}`,
      type,
      state: 'New',
      percent: 0,
      messages: [],
      createdAt: this.#clock.now(),
      startTime,
      endTime: undefined,
      actor,
      maxExecutionMs,
      group,
      payload,
      schedule,
      ...(hidePayload !== undefined && { hidePayload }),
      ...(steps.length > 0 && { ...request, parts: steps.length }),
    }
    const { jobs = [], rollouts } = this.making(bmc)
    const parts = steps.map((step, index) => {
      const part = {
        ...newStep(job, step.name, { number: index + 1, percent: 0, now: job.createdAt }),
        ...step,
      }
      return [jobKey(part), part] as const
    })
    commit(bmc, { ...work.also?.(id), rollouts: rollouts ?? [], jobs: [...jobs, [id, job], ...parts] })
    this.#run(bmc, job, work)
    return job
  }

  /** Takes up the work of a job that an earlier run of the service began. */
  takeUp(bmc: Bmc, id: string, work: ResumedJobWork): void {
    const job = bmc.state.jobs.get(id)
    if (job === undefined) return
    this.#run(bmc, job, work)
    if (job.isSuspending === true) this.#works.find(bmc, id)?.suspend()
    this.#limit(bmc, id)
  }

  /** After a restart: what nobody goes on with has failed. That of a roll-out only shows what goes on elsewhere. */
  settle(bmc: Bmc): void {
    const lost = wholes(bmc.state.jobs).filter(
      ({ id, state, rollout }) => !isFinalJob(state) && rollout === undefined && !this.#works.find(bmc, id),
    )
    for (const { id } of lost) this.takeUp(bmc, id, { run: failLost })
  }

  /** Asks a job, or one of its steps, to end; false where it has ended or its stage does not allow it. */
  cancel(bmc: Bmc, key: string): boolean {
    return this.#works.find(bmc, key)?.cancel() ?? false
  }

  /** Holds a running job before its next stage; false where it does not run. */
  suspend(bmc: Bmc, id: string): boolean {
    const work = this.#works.find(bmc, id)
    if (work === undefined || bmc.state.jobs.get(id)?.state !== 'Running') return false
    work.suspend()
    this.amend(bmc, id, { isSuspending: true })
    return true
  }

  /** False where it was not suspended. */
  resume(bmc: Bmc, id: string): boolean {
    if (bmc.state.jobs.get(id)?.isSuspending === true) this.amend(bmc, id, { isSuspending: false })
    return this.#works.find(bmc, id)?.resume() ?? false
  }

  /** Opens the way of what waits and may go on by word (Continue, ForceStart); false where nothing does. */
  goOn(bmc: Bmc, key: string): boolean {
    return this.#works.find(bmc, key)?.goOn() ?? false
  }

  /** Sets MaxExecutionTime; the time since its start counts. `undefined`: no limit. */
  setMaxExecution(bmc: Bmc, id: string, maxExecutionMs: number | undefined): void {
    this.amend(bmc, id, { maxExecutionMs })
    this.#limit(bmc, id)
  }

  /** Changes what a client or a schedule says of a job. */
  amend(
    bmc: Bmc,
    id: string,
    changes: Partial<Pick<Job, 'startTime' | 'schedule' | 'maxExecutionMs' | 'isSuspending'>>,
  ): void {
    const job = bmc.state.jobs.get(id)
    if (job !== undefined) commit(bmc, { jobs: [[id, { ...job, ...changes }]] })
  }

  /** Removes a job that has ended; false where it has not. */
  remove(bmc: Bmc, id: string): boolean {
    const job = bmc.state.jobs.get(id)
    if (job === undefined || !isFinalJob(job.state) || job.wave !== undefined) return false
    commit(bmc, goneJobs(bmc.state, [job]))
    return true
  }

  /** Ends all work for a BMC that is gone. */
  async forget(bmc: Bmc): Promise<void> {
    await this.#works.stop(bmc)
    for (const cancel of this.#limits(bmc).values()) cancel()
  }

  close(): Promise<void> {
    return this.#works.close()
  }

  #run(bmc: Bmc, { id, actor, group }: Job, work: ResumedJobWork): void {
    const { run, exposes = () => true, targets, onOver } = work
    const setting = {
      bmc,
      kind: kindOf(exposes),
      cause: { actor, group },
      targets,
      endsAtWait: false,
      onBegin: () => this.#limit(bmc, id),
      onEnd: () => this.#unlimit(bmc, id),
      onOver: () => onOver?.(id),
    }
    this.#works.start(id, setting, run)
  }

  /** Ends the job when its time since its start is over: in the time of clients, however fast devices are. */
  #limit(bmc: Bmc, id: string): void {
    this.#unlimit(bmc, id)
    const { state, startTime, maxExecutionMs } = bmc.state.jobs.get(id) ?? {}
    const isBegun = state !== undefined && state !== 'New' && !isFinalJob(state)
    if (!isBegun || startTime === undefined || maxExecutionMs === undefined) return
    const left = startTime + maxExecutionMs - this.#clock.now()
    const cancel = this.#clock.schedule(left, () => this.#works.find(bmc, id)?.timeOut())
    this.#limits(bmc).set(id, cancel)
  }

  #unlimit(bmc: Bmc, id: string): void {
    const limits = this.#limits(bmc)
    limits.get(id)?.()
    limits.delete(id)
  }
}

function kindOf(isExposed: (one: Message) => boolean): Kind<Job> {
  return {
    recordsOf: ({ state }) => state.jobs,
    change: (jobs) => ({ jobs }),
    uri: jobUri,
    part: (job, { name }, begin) => newStep(job, name, begin),
    phaseOf: phaseOfJob,
    progressed: progressedJob,
    led: (job, phase, { messages: news = [], ...progress }, waited) => {
      const led = progressedJob(job, phase, progress)
      return told(led, { messages: toldOfSteps(led, { news, waited }, isExposed) })
    },
    began: (job, now) => ({ ...job, startTime: now }),
    ended: endedJob,
    endingOf: endingOfJob,
    isCancelling: ({ isCancelling = false }) => isCancelling,
    beginsAgain: ({ type }, phase) => type === 'UserSpecified' && phase === 'condition',
    logged: (...entry) => ({ ...audited(...entry), ...jobLogged(...entry) }),
    startMessage: jobStartMessage,
    endMessage: jobEndMessage,
  }
}
