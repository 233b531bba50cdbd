import type { Bmc } from '../../../src/bmc/bmc.ts'
import type { Message } from '../../../src/redfish/messages/message.ts'
import type { WorkRecord } from '../../../src/tasks/progress.ts'
import type { Seen } from './flow.ts'
import { keysOf } from '../work.ts'

type Kind = 'task' | 'job'

/**
 * Watches tasks, jobs and the machine's log as a client does who misses nothing. Tasks and jobs are counted as they
 * appear: `task`, `sub-task 1`, `job`, `step 2`, then `task 2` and `sub-task 2.1`. Each look begins where the last ended. After a restart it
 * goes on counting where the `earlier` watch was.
 */
export function watchWork(bmc: Bmc, earlier?: { readonly numbers: ReadonlyMap<string, number> }) {
  const before = new Map<string, WorkRecord>([
    ...entriesOf('task', bmc.state.tasks),
    ...entriesOf('job', bmc.state.jobs),
  ])
  const numbers = new Map(earlier?.numbers)
  let seen = new Map<string, string[]>()
  let messages: Message[] = []

  const nameOf = (kind: Kind, key: string): string => {
    const [id = '', part] = key.split('/')
    const known = numbers.get(kind + id)
    const number = known ?? [...numbers.keys()].filter((one) => one.startsWith(kind)).length + 1
    numbers.set(kind + id, number)
    if (part === undefined) return number === 1 ? kind : `${kind} ${number}`
    return `${kind === 'task' ? 'sub-task' : 'step'} ${number === 1 ? '' : `${number}.`}${part}`
  }
  const note = (name: string, state: string, news: readonly Message[]): void => {
    messages.push(...news)
    const states = seen.get(name) ?? []
    const last = states.at(-1)
    if (last?.split(':')[0] === state) states[states.length - 1] = withKeys(last, news)
    else states.push(withKeys(state, news))
    seen.set(name, states)
  }
  const compare = (kind: Kind, key: string, record: WorkRecord | undefined): void => {
    const old = before.get(kind + key)
    if (record === undefined) before.delete(kind + key)
    else before.set(kind + key, record)
    const news = record?.messages.slice(old?.messages.length ?? 0) ?? []
    const isNews = record?.state !== old?.state || news.length > 0
    if (isNews) note(nameOf(kind, key), record?.state ?? 'gone', news)
  }
  bmc.listeners.add(({ tasks = [], jobs = [], log = [] }) => {
    for (const [key, record] of tasks) compare('task', key, record)
    for (const [key, record] of jobs) compare('job', key, record)
    for (const [, entry] of log) if (entry !== undefined) note('log', 'told', [entry.message])
  })

  return {
    numbers,
    /** What was seen since the last look, and every message that was told. */
    look: (): { readonly seen: Seen; readonly messages: readonly Message[] } => {
      const entries = [...seen].map(([name, states]) => [name, states.join(' → ')] as const)
      const all = { seen: Object.fromEntries(entries), messages }
      seen = new Map()
      messages = []
      return all
    },
  }
}

function entriesOf(kind: Kind, records: ReadonlyMap<string, WorkRecord>): (readonly [string, WorkRecord])[] {
  return [...records].map(([key, record]) => [kind + key, record] as const)
}

function withKeys(state: string, news: readonly Message[]): string {
  if (news.length === 0) return state
  return `${state}${state.includes(':') ? '' : ':'} ${keysOf(news).join(' ')}`
}
