import { message } from '../redfish/messages/message.ts'
import { uris } from '../redfish/uris.ts'
import type { Bmc, Component } from './bmc.ts'
import { audited } from './log.ts'
import type { Change, HistoryEntry } from './state.ts'

/** Versions that a component's history holds; the oldest gives way. */
export const MAX_HISTORY = 50

/** The change that adds an image to its component's history, and to the audit log with its digest. */
export function remembered(
  bmc: Bmc,
  { id, uri }: Component,
  entry: HistoryEntry,
): Pick<Change, 'history' | 'auditLog'> {
  const { cause, image, sha256, activatedAt } = entry
  const about = {
    ...cause,
    origin: uri,
    related: [...(cause?.related ?? []), uris.firmwareHistory(id)],
    ...(sha256 !== undefined && { description: `SHA-256 ${sha256}` }),
  }
  return {
    history: [[id, [...(bmc.state.history.get(id) ?? []), entry].slice(-MAX_HISTORY)]],
    ...audited(bmc, activatedAt, about, [message('Update.UpdateSuccessful', uri, image)]),
  }
}
