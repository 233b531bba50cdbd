import type { Message } from '../redfish/messages/message.ts'
import type { WorkProgress } from './work.ts'

/** What tasks and jobs, and their parts, have in common. */
export interface WorkRecord {
  readonly id: string
  readonly parent?: string
  readonly state: string
  readonly percent: number
  readonly messages: readonly Message[]
  readonly createdResources?: readonly string[]
  readonly parts?: number
  readonly endTime: number | undefined
}

/** The record after some progress: percent never goes back, messages and resources are added. The same where nothing is new. */
export function told<R extends WorkRecord>(record: R, progress: WorkProgress): R {
  const { messages = [], created = [] } = progress
  const percent = Math.max(record.percent, Math.min(100, Math.floor(progress.percent ?? 0)))
  if (percent === record.percent && messages.length === 0 && created.length === 0) return record
  const createdResources = [...new Set([...(record.createdResources ?? []), ...created])]
  return {
    ...record,
    percent,
    // A spread would copy twice, and of thousands of parts there are tens of thousands.
    messages: messages.length === 0 ? record.messages : record.messages.concat(messages),
    ...(createdResources.length > 0 && { createdResources }),
  }
}
