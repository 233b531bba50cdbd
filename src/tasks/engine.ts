import type { Bmc } from '../bmc/bmc.ts'
import { commit } from '../bmc/commit.ts'
import { audited } from '../bmc/log.ts'
import type { Actor, Cause, Change, Payload, Task } from '../bmc/state.ts'
import { Background } from '../lib/background.ts'
import type { Clock } from '../lib/clock.ts'
import { type Message, message } from '../redfish/messages/message.ts'
import { uris } from '../redfish/uris.ts'
import { type Ending, ended, endMessage, isFinal, progressed, type TaskProgress } from './task.ts'

/** CompletedTaskOverWritePolicy Oldest: at this many tasks the oldest finished one gives way. */
export const MAX_TASKS = 500

/** What a task's work is given: where to report, and when to stop. */
export interface TaskHandle {
  readonly id: string
  /** For the log entries of what it does. */
  readonly cause: Cause
  readonly signal: AbortSignal
  /** Records progress, in one commit with whatever else changed by it. */
  readonly report: (progress: TaskProgress, also?: Change) => void
  /** While false, a request to cancel is refused. */
  readonly allowCancel: (allowed: boolean) => void
}

export interface TaskWork {
  readonly name: string
  readonly description: string
  readonly payload: Payload
  readonly actor?: Actor | undefined
  /** The resources that it works on. */
  readonly targets?: readonly string[]
  readonly run: (task: TaskHandle) => Promise<Ending>
}

interface Running {
  readonly abort: AbortController
  cancellable: boolean
}

/** Runs the tasks of all BMCs, keeps them for their time, cancels and removes them. */
export class TaskEngine {
  readonly #clock: Clock
  readonly #background: Background
  readonly #running = new WeakMap<Bmc, Map<string, Running>>()
  readonly #sweeps = new WeakMap<Bmc, () => void>()
  readonly #numbers = new WeakMap<Bmc, number>()
  readonly #failed: (error: unknown) => void

  constructor(clock: Clock, failed: (error: unknown) => void) {
    this.#clock = clock
    this.#failed = failed
    this.#background = new Background(failed)
  }

  /** Whether another task fits: a table full of unfinished ones takes none. */
  hasRoom(bmc: Bmc): boolean {
    const { tasks } = bmc.state
    return tasks.size < MAX_TASKS || [...tasks.values()].some((task) => isFinal(task.state))
  }

  /** Creates a task and starts its work; returns as soon as the task exists. */
  start(bmc: Bmc, work: TaskWork): Task {
    const { name, description, payload, actor } = work
    const id = this.#nextId(bmc)
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
      finalStatus: undefined,
    }
    const overdue = [...bmc.state.tasks.values()].filter((one) => isFinal(one.state)).slice(0, 1)
    const dropped = bmc.state.tasks.size < MAX_TASKS ? [] : overdue.map((one) => [one.id, undefined] as const)
    commit(bmc, { tasks: [...dropped, [id, task]] })
    this.#background.start((closing) => this.#run(bmc, id, work, closing))
    return task
  }

  /** Asks a running task to end; false where its stage does not allow it. */
  cancel(bmc: Bmc, id: string): boolean {
    const running = this.#running.get(bmc)?.get(id)
    if (running === undefined || !running.cancellable) return false
    this.#report(bmc, id, { state: 'Cancelling' })
    running.abort.abort(new Error('cancelled'))
    return true
  }

  /** Removes a finished task. */
  remove(bmc: Bmc, id: string): void {
    commit(bmc, { tasks: [[id, undefined]] })
  }

  /** Removes what is older than TaskAutoDeleteTimeoutMinutes and looks again when the next one is due. */
  sweep(bmc: Bmc): void {
    this.#sweeps.get(bmc)?.()
    const keepMs = bmc.state.settings.taskAutoDeleteMinutes * 60_000
    const ends = [...bmc.state.tasks.values()].flatMap(({ id, endTime }) =>
      endTime === undefined ? [] : [{ id, due: endTime + keepMs }],
    )
    const now = this.#clock.now()
    const due = ends.filter((one) => one.due <= now)
    if (due.length > 0) commit(bmc, { tasks: due.map(({ id }) => [id, undefined] as const) })
    const next = Math.min(...ends.filter((one) => one.due > now).map((one) => one.due))
    if (next < Infinity)
      this.#sweeps.set(
        bmc,
        this.#clock.schedule(next - now, () => this.sweep(bmc)),
      )
  }

  close(): Promise<void> {
    return this.#background.close()
  }

  async #run(bmc: Bmc, id: string, work: TaskWork, closing: AbortSignal): Promise<void> {
    const { run, actor, targets } = work
    const cause = { actor, group: Number(id) }
    const audit = (said: Message) =>
      audited(bmc, this.#clock.now(), { ...cause, origin: uris.task(id), related: targets }, [said])
    const end = (ending: Ending): void => this.#end(bmc, id, ending, audit)
    const running: Running = { abort: new AbortController(), cancellable: false }
    const byId = this.#running.get(bmc) ?? new Map<string, Running>()
    this.#running.set(bmc, byId.set(id, running))
    try {
      // A turn later: the answer that announces the task is made from a task that has not begun.
      await this.#clock.sleep(0, closing)
      this.#report(bmc, id, { state: 'Running' }, audit(message('TaskEvent.TaskStarted', id)))
      running.cancellable = true
      const ending = await run({
        id,
        cause: { ...cause, related: [uris.task(id)] },
        signal: AbortSignal.any([closing, running.abort.signal]),
        report: (progress, also) => this.#report(bmc, id, progress, also),
        allowCancel: (allowed) => {
          running.cancellable = allowed
        },
      })
      end(ending)
    } catch (error) {
      if (closing.aborted) return
      this.#failed(error)
      this.#report(bmc, id, { messages: [message('Base.InternalError')] })
      end({ state: 'Exception', status: 500 })
    } finally {
      byId.delete(id)
    }
  }

  #report(bmc: Bmc, id: string, progress: TaskProgress, also: Change = {}): void {
    const task = bmc.state.tasks.get(id)
    if (task === undefined) throw new Error(`task ${id} reports but does not exist`)
    const next = progressed(task, progress)
    const isNews =
      next.state !== task.state || next.percent !== task.percent || next.messages !== task.messages
    if (isNews || Object.keys(also).length > 0) commit(bmc, { ...also, tasks: [[id, next]] })
  }

  #end(bmc: Bmc, id: string, ending: Ending, audit: (said: Message) => Change): void {
    const task = bmc.state.tasks.get(id)
    if (task === undefined) throw new Error(`task ${id} ends but does not exist`)
    const done = ended(task, ending, this.#clock.now())
    commit(bmc, { ...audit(endMessage(done)), tasks: [[id, done]] })
    this.sweep(bmc)
  }

  #nextId(bmc: Bmc): string {
    const number = (this.#numbers.get(bmc) ?? 0) + 1
    this.#numbers.set(bmc, number)
    return String(number)
  }
}
