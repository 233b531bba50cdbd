import { about, type Message, message } from '../../redfish/messages/message.ts'

/** Why something that somebody wants of a roll-out is not done. */
export interface Refusal {
  readonly kind: 'wrong-targets' | 'not-now'
  readonly why: readonly Message[]
}

/** Some of the targets are nobody there. */
export function missing(targets: readonly string[], unknown: readonly string[]): Refusal {
  const gone = new Set(unknown)
  const why = targets.flatMap((uri, index) =>
    gone.has(uri) ? [about(message('Base.ResourceMissingAtURI', uri), `/Targets/${index}`)] : [],
  )
  return { kind: 'wrong-targets', why }
}

/** An action of the job of a roll-out can do nothing, for these reasons. */
export function notNow(action: string, ...reasons: readonly Message[]): Refusal {
  return { kind: 'not-now', why: [message('Base.ActionNotSupported', `RedflashJob.${action}`), ...reasons] }
}
