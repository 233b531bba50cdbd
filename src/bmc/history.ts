import { message } from '../redfish/messages/message.ts'
import { uris } from '../redfish/uris.ts'
import type { Bmc, Component } from './bmc.ts'
import { audited } from './log.ts'
import type { Change, HistoryEntry } from './state.ts'

/** Versions that a component's history holds; the oldest gives way. */
export const MAX_HISTORY = 50

/** The change that adds an image to its component's history, and to the audit log with its digest and signer. */
export function remembered(
  bmc: Bmc,
  { id, uri }: Component,
  entry: HistoryEntry,
): Pick<Change, 'history' | 'auditLog'> {
  const { cause, image, sha256, signer, activatedAt } = entry
  const evidence = [sha256 && `SHA-256 ${sha256}`, signer && `signed by ${signer}`].filter((one) => one)
  const about = {
    ...cause,
    origin: uri,
    related: [...(cause?.related ?? []), uris.firmwareHistory(id)],
    ...(evidence.length > 0 && { description: evidence.join(', ') }),
  }
  return {
    history: [[id, [...(bmc.state.history.get(id) ?? []), entry].slice(-MAX_HISTORY)]],
    ...audited(bmc, activatedAt, about, [message('Update.UpdateSuccessful', uri, image)]),
  }
}
