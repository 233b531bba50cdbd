import type { Bmc } from '../../bmc/bmc.ts'
import { nextChange } from '../../bmc/next-change.ts'
import type { Job, Task } from '../../bmc/state.ts'
import type { Message } from '../../redfish/messages/message.ts'
import { lastSegment } from '../../redfish/uris.ts'
import type { Ending } from '../../tasks/work.ts'
import { ofEach } from '../../lib/of-each.ts'

/** What goes on for a job elsewhere: a task, or the job that a task became. */
export interface Followed {
  readonly table: 'tasks' | 'jobs'
  readonly id: string
}

/** Ends what is followed: false where that is past stopping. */
type Engines = Readonly<Record<Followed['table'], { cancel(bmc: Bmc, id: string): boolean }>>

interface Follower {
  readonly bmc: Bmc
  readonly job: string
  readonly signal: AbortSignal
  readonly followed: Followed
}

interface News {
  readonly messages: readonly Message[]
  readonly percent: number
}

/** Jobs whose requests were answered with a task: what the task says they say, and they end as it does. */
export class Following {
  readonly #engines: Engines
  /** What each job follows, by its Id. */
  readonly #followed = ofEach<Bmc, Map<string, Followed>>(() => new Map())

  constructor(engines: Engines) {
    this.#engines = engines
  }

  /** Tells the news of what is followed until it has ended, and how it did; aborted, it ends that, too. */
  async follow(follower: Follower, tell: (news: News) => void): Promise<Ending['state']> {
    const { bmc, job, signal, followed } = follower
    const all = this.#followed(bmc).set(job, followed)
    const stop = (): void => void this.#engines[followed.table].cancel(bmc, followed.id)
    signal.addEventListener('abort', stop, { once: true })
    try {
      const { state, messages } = await this.#toTheEnd(follower, tell)
      const next = successor(messages)
      return next === undefined ? endingOf(state) : await this.follow({ ...follower, followed: next }, tell)
    } finally {
      signal.removeEventListener('abort', stop)
      all.delete(job)
    }
  }

  /** Ends what a job follows; true where it follows nothing. */
  stop(bmc: Bmc, job: string): boolean {
    const followed = this.#followed(bmc).get(job)
    return followed === undefined || this.#engines[followed.table].cancel(bmc, followed.id)
  }

  async #toTheEnd({ bmc, followed, signal }: Follower, tell: (news: News) => void): Promise<Task | Job> {
    const { table, id } = followed
    const isNews = (change: {
      readonly [T in Followed['table']]?: readonly (readonly [string, unknown])[]
    }): boolean => change[table]?.some(([key]) => key === id) ?? false
    let last: Task | Job | undefined
    for (;;) {
      const now: Task | Job | undefined = bmc.state[table].get(id)
      // Only what has ended is removed.
      const shown = now ?? last
      if (shown === undefined) throw new Error(`${table} ${id} was announced and is not there`)
      tell({ messages: shown.messages.slice(last?.messages.length ?? 0), percent: shown.percent })
      if (now === undefined || now.endTime !== undefined) return shown
      last = now
      await nextChange(bmc, isNews, signal)
    }
  }
}

/** DSP2062: an update that needs somebody, or is for several devices, goes on as a job of its own. */
function successor(messages: readonly Message[]): Followed | undefined {
  const moved = messages.find(({ MessageId }) =>
    /^Update\.[\d.]+\.OperationTransitionedToJob$/.test(MessageId),
  )
  const uri = moved?.MessageArgs[0]
  return uri === undefined ? undefined : { table: 'jobs', id: lastSegment(uri) }
}

function endingOf(state: string): Ending['state'] {
  return state === 'Completed' || state === 'Cancelled' ? state : 'Exception'
}
