import type { Bmc } from '../bmc/bmc.ts'
import { commit } from '../bmc/commit.ts'
import { forgotten } from '../bmc/forgotten-operation.ts'
import { nextNumber } from '../bmc/numbers.ts'
import { audited } from '../bmc/log.ts'
import type { Actor } from '../bmc/actor.ts'
import type { Change, Payload, Task } from '../bmc/state.ts'
import type { Clock } from '../lib/clock.ts'
import type { Kind } from './kind.ts'
import { failLost, LiveWorks } from './live-works.ts'
import { givingWay, gone, overdue, wholes } from './retention.ts'
import { ended, endingOf, endMessage, isFinal, phaseOf, progressed, startMessage, taskUri } from './task.ts'
import type { Ending, WorkHandle } from './work.ts'

/** As many tasks are kept, unless the configuration says otherwise. */
export const MAX_TASKS = 500

/** What happens when the table is full of finished tasks: the oldest gives way, or none does (TaskService v1_3). */
export type OverWritePolicy = 'Oldest' | 'Manual'

export interface TaskLimits {
  readonly maxTasks?: number | undefined
  readonly overWritePolicy?: OverWritePolicy | undefined
}

export interface TaskWork {
  readonly name: string
  readonly description: string
  readonly payload: Payload
  readonly actor?: Actor | undefined
  readonly rolloutOperation?: string | undefined
  /** The resources that it works on. */
  readonly targets?: readonly string[]
  /** Whether the task ends where nothing goes on without somebody else, while its work waits on. */
  readonly endsAtWait?: boolean
  readonly run: (handle: WorkHandle) => Promise<Ending>
  /** What else begins with the task of this Id, and what is to be done when its work is over. */
  readonly also?: (id: string) => Change
  readonly onOver?: (id: string) => void
}

/** What a task's work is after a restart; the rest its record tells. */
export type ResumedTaskWork = Pick<TaskWork, 'targets' | 'endsAtWait' | 'run' | 'onOver'>

const kind: Kind<Task> = {
  recordsOf: ({ state }) => state.tasks,
  change: (tasks) => ({ tasks }),
  uri: taskUri,
  part: ({ id: parent, payload, actor }, { name, target }, { number, percent, now }) => ({
    id: String(number),
    parent,
    name,
    description: `Part of task ${parent} for ${target}`,
    state: 'New',
    percent,
    messages: [],
    startTime: now,
    endTime: undefined,
    payload,
    actor,
    finalStatus: undefined,
  }),
  phaseOf,
  progressed,
  // Clients look nowhere else: a task tells all that its parts tell.
  led: progressed,
  began: (task) => task,
  ended: (task, _parts, ending, now) => ended(task, ending, now),
  endingOf,
  isCancelling: ({ state }) => state === 'Cancelling',
  beginsAgain: () => false,
  logged: audited,
  startMessage,
  endMessage,
}

/** Runs the tasks of all BMCs, keeps them for their time, cancels and removes them. */
export class TaskEngine {
  readonly overWritePolicy: OverWritePolicy
  readonly #maxTasks: number
  readonly #clock: Clock
  readonly #works: LiveWorks<Task>
  readonly #sweeps = new WeakMap<Bmc, () => void>()

  constructor(clock: Clock, failed: (error: unknown) => void, limits: TaskLimits = {}) {
    this.#maxTasks = limits.maxTasks ?? MAX_TASKS
    this.overWritePolicy = limits.overWritePolicy ?? 'Oldest'
    this.#clock = clock
    this.#works = new LiveWorks(clock, failed)
  }

  /** Whether another task fits: a table full of unfinished ones takes none, nor one that nobody but a client empties. */
  hasRoom({ state: { tasks } }: Bmc): boolean {
    const isFull = wholes(tasks).length >= this.#maxTasks
    return !isFull || (this.overWritePolicy === 'Oldest' && givingWay(tasks, this.#maxTasks).length > 0)
  }

  /** Creates a task and starts its work; returns as soon as the task exists. */
  start(bmc: Bmc, work: TaskWork): Task {
    const { name, description, payload, actor, rolloutOperation } = work
    const id = String(nextNumber(bmc, 'tasks'))
    const task: Task = {
      id,
      name: `${name} ${id}`,
      description,
      state: 'New',
      percent: 0,
      messages: [],
      startTime: this.#clock.now(),
      endTime: undefined,
      payload,
      actor,
      ...(rolloutOperation !== undefined && { rolloutOperation }),
      finalStatus: undefined,
    }
    const dropped = this.overWritePolicy === 'Oldest' ? givingWay(bmc.state.tasks, this.#maxTasks) : []
    commit(bmc, { ...work.also?.(id), tasks: [...gone<Task>(dropped), [id, task]] })
    this.#run(bmc, id, work)
    return task
  }

  /** Takes up the work of a task that an earlier run of the service began. */
  takeUp(bmc: Bmc, id: string, work: ResumedTaskWork): void {
    this.#run(bmc, id, { actor: bmc.state.tasks.get(id)?.actor, ...work })
  }

  /** After a restart: what nobody goes on with has failed; time has passed for what has ended. */
  settle(bmc: Bmc): void {
    const lost = wholes(bmc.state.tasks).filter(
      ({ id, state }) => !isFinal(state) && !this.#works.find(bmc, id),
    )
    for (const { id } of lost) this.takeUp(bmc, id, { run: failLost })
    this.sweep(bmc)
  }

  /** Asks a running task, or one of its parts, to end; false where its stage does not allow it. */
  cancel(bmc: Bmc, key: string): boolean {
    return this.#works.find(bmc, key)?.cancel() ?? false
  }

  /** Removes a finished task, and ends what still waits behind it; false where that is past stopping. */
  remove(bmc: Bmc, id: string): boolean {
    const task = bmc.state.tasks.get(id)
    if (task === undefined || this.#works.find(bmc, id)?.cancel() === false) return false
    // What waited behind it must not begin again after a restart; what goes on in a job does.
    const waited = bmc.state.operations.get(id)
    const isEnded = waited !== undefined && waited.job === undefined
    commit(bmc, { tasks: gone([task]), ...(isEnded && forgotten(bmc, id)) })
    return true
  }

  /** Removes all finished tasks; what waits behind them waits on. */
  removeCompleted(bmc: Bmc): void {
    const completed = wholes(bmc.state.tasks).filter(({ state }) => isFinal(state))
    if (completed.length > 0) commit(bmc, { tasks: gone(completed) })
  }

  /** Somebody was given the final answer of a monitor, whose time may begin to run by it. */
  answered(bmc: Bmc, id: string): void {
    const task = bmc.state.tasks.get(id)
    if (task === undefined || bmc.state.settings.taskMonitorExpiryS === null) return
    if (task.monitorReadAt !== undefined) return
    commit(bmc, { tasks: [[id, { ...task, monitorReadAt: this.#clock.now() }]] })
    this.sweep(bmc)
  }

  /** Removes the tasks and monitors that have had their time, and looks again when the next will have. */
  sweep(bmc: Bmc): void {
    this.#sweeps.get(bmc)?.()
    const { taskAutoDeleteMinutes, taskMonitorExpiryS: expiryS } = bmc.state.settings
    const times = {
      taskMs: taskAutoDeleteMinutes * 60_000,
      monitorMs: expiryS === null ? undefined : expiryS * 1_000,
    }
    const now = this.#clock.now()
    const { tasks, nextAt } = overdue(bmc.state.tasks, times, now)
    if (tasks.length > 0) commit(bmc, { tasks })
    if (nextAt < Infinity)
      this.#sweeps.set(
        bmc,
        this.#clock.schedule(nextAt - now, () => this.sweep(bmc)),
      )
  }

  /** Ends all work for a BMC that is gone. */
  async forget(bmc: Bmc): Promise<void> {
    await this.#works.stop(bmc)
    this.#sweeps.get(bmc)?.()
  }

  close(): Promise<void> {
    return this.#works.close()
  }

  #run(bmc: Bmc, id: string, work: ResumedTaskWork & Pick<TaskWork, 'actor'>): void {
    const { actor, targets, endsAtWait = false, run, onOver } = work
    const cause = { actor, group: Number(id) }
    const onEnd = (): void => this.sweep(bmc)
    const setting = { bmc, kind, cause, targets, endsAtWait, onEnd, onOver: () => onOver?.(id) }
    this.#works.start(id, setting, run)
  }
}
