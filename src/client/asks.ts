import type { Seen } from './follow.ts'
import type { ReadMessage } from './message-reading.ts'

/** What an update waits for somebody to do. */
export type Ask =
  | { readonly kind: 'reset'; readonly action: string; readonly type: string }
  | { readonly kind: 'start' }
  | { readonly kind: 'activate'; readonly target: string }
  | { readonly kind: 'unknown' }

const awaiting = new Set(['AwaitToUpdate', 'AwaitToActivate'])

/** What is asked for now; `startsLater`: StartUpdate has yet to come. */
export function asksOf(seen: Seen, startsLater: boolean): Ask[] {
  const { state, isOver, isJob, heeded } = seen
  // A job that is over waits for nobody, a task that is over may well.
  const waits = isOver
    ? !isJob && openTargets(seen).length > 0
    : state === 'UserIntervention' || state === 'Pending'
  if (!waits) return []
  const fresh = seen.messages.slice(heeded)
  const resets = unique(fresh.filter(({ key }) => key === 'ResetRequired'))
  if (resets.length > 0)
    return resets.map(({ args: [action = '', type = ''] }) => ({ kind: 'reset', action, type }))
  if (startsLater && fresh.some(({ key }) => key === 'AwaitToUpdate')) return [{ kind: 'start' }]
  if (isOver) return staged(fresh).map((target) => ({ kind: 'activate', target }))
  return state === 'UserIntervention' && heeded === 0 ? [{ kind: 'unknown' }] : []
}

/** The components that were said to wait, and not to be through since. */
export function openTargets({ messages }: Seen): string[] {
  const open = new Set<string>()
  for (const { key, args } of messages) {
    if (awaiting.has(key)) open.add(args[1] ?? '')
    if (key === 'UpdateSuccessful') open.delete(args[0] ?? '')
  }
  return [...open]
}

function staged(messages: readonly ReadMessage[]): string[] {
  return messages.flatMap(({ key, args }) => (key === 'AwaitToActivate' ? (args[1] ?? []) : []))
}

function unique(messages: readonly ReadMessage[]): ReadMessage[] {
  return [...new Map(messages.map((message) => [message.args.join(' '), message])).values()]
}
