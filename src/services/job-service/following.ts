import type { Actor } from '../../bmc/actor.ts'
import type { Bmc } from '../../bmc/bmc.ts'
import { nextChange } from '../../bmc/next-change.ts'
import type { Job, Task } from '../../bmc/state.ts'
import type { Followed } from '../../bmc/user-job.ts'
import { type Message, message } from '../../redfish/messages/message.ts'
import { lastSegment } from '../../redfish/uris.ts'
import type { Ending } from '../../tasks/work.ts'

/** Ends what is followed, in somebody's name: false where that is past stopping. */
type Engines = Readonly<Record<Followed['table'], { cancel(bmc: Bmc, id: string, by?: Actor): boolean }>>

interface Follower {
  readonly bmc: Bmc
  readonly signal: AbortSignal
  readonly followed: Followed
}

/** What is new, and what of all that is told with it. */
interface News {
  readonly messages: readonly Message[]
  readonly percent: number
  readonly followed: Followed
}

/** Jobs whose requests were answered with a task: what the task says they say, and they end as it does. */
export class Following {
  readonly #engines: Engines

  constructor(engines: Engines) {
    this.#engines = engines
  }

  /** Tells the news of what is followed until it has ended, and how it did; aborted, it ends that, too. */
  async follow(follower: Follower, tell: (news: News) => void): Promise<Ending['state']> {
    const { bmc, signal, followed } = follower
    const stop = (): void => void this.stop(bmc, followed)
    signal.addEventListener('abort', stop, { once: true })
    try {
      const end = await toTheEnd(follower, tell)
      if (end === undefined) return 'Exception'
      const next = successor(end.messages)
      return next === undefined
        ? endingOf(end.state)
        : await this.follow({ ...follower, followed: next }, tell)
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }

  /** False where it is past stopping. */
  stop(bmc: Bmc, { table, id }: Followed, by?: Actor): boolean {
    return this.#engines[table].cancel(bmc, id, by)
  }
}

/** What is followed as it was at its end; `undefined`: nobody knows any more. */
async function toTheEnd(
  { bmc, followed, signal }: Follower,
  tell: (news: News) => void,
): Promise<Task | Job | undefined> {
  const { table, id } = followed
  const isNews = (change: {
    readonly [T in Followed['table']]?: readonly (readonly [string, unknown])[]
  }): boolean => change[table]?.some(([key]) => key === id) ?? false
  let { told } = followed
  let last: Task | Job | undefined
  for (;;) {
    signal.throwIfAborted()
    const now: Task | Job | undefined = bmc.state[table].get(id)
    // Only what has ended is removed.
    const shown = now ?? last
    if (shown === undefined) {
      tell({ messages: [message('Base.OperationFailed')], percent: 0, followed })
      return undefined
    }
    const messages = shown.messages.slice(told)
    told = shown.messages.length
    // The share of a task that goes on as a job says nothing of that.
    const percent = successor(shown.messages) === undefined ? shown.percent : 0
    tell({ messages, percent, followed: { ...followed, told } })
    if (now === undefined || now.endTime !== undefined) return shown
    last = now
    await nextChange(bmc, isNews, signal)
  }
}

/** DSP2062: an update that needs somebody, or is for several devices, goes on as a job of its own. */
function successor(messages: readonly Message[]): Followed | undefined {
  const moved = messages.find(({ MessageId }) =>
    /^Update\.[\d.]+\.OperationTransitionedToJob$/.test(MessageId),
  )
  const uri = moved?.MessageArgs[0]
  return uri === undefined ? undefined : { table: 'jobs', id: lastSegment(uri), told: 0 }
}

function endingOf(state: string): Ending['state'] {
  return state === 'Completed' || state === 'Cancelled' ? state : 'Exception'
}
