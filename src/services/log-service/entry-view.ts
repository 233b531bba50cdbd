import type { Bmc } from '../../bmc/bmc.ts'
import { isThere } from '../../bmc/presence.ts'
import type { LogEntry } from '../../bmc/state.ts'
import { timestamp } from '../../lib/clock.ts'
import { link, type Resource, resource } from '../../redfish/resource.ts'

/** A LogEntry as it is now: what it speaks of may be gone, and is not linked to then. */
export function entryView(bmc: Bmc, uri: string, entry: LogEntry): Resource {
  const { id, created, message, origin, actor, group, related = [], description, isResolved = false } = entry
  const isGone = !isThere(bmc, origin)
  const items = related.filter((one) => isThere(bmc, one))
  return {
    ...resource('LogEntry', uri, `Log entry ${id}`),
    Description: description,
    EntryType: 'Event',
    Created: timestamp(created),
    Severity: message.MessageSeverity,
    MessageId: message.MessageId,
    Message: message.Message,
    MessageArgs: message.MessageArgs,
    Resolution: message.Resolution,
    Resolved: isResolved,
    OriginatorType: actor === undefined ? 'Internal' : 'Client',
    Username: actor?.username,
    OriginAddress: actor?.address,
    EventGroupId: group,
    OriginOfConditionUnavailable: isGone ? true : undefined,
    Links: {
      ...(!isGone && { OriginOfCondition: link(origin) }),
      ...(items.length > 0 && { RelatedItem: items.map(link), 'RelatedItem@odata.count': items.length }),
    },
  }
}
