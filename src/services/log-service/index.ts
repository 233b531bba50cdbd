import { type Bmc, machineResource, type Row } from '../../bmc/bmc.ts'
import { MAX_LOG_RECORDS } from '../../bmc/log.ts'
import type { LogEntry } from '../../bmc/state.ts'
import { timestamp } from '../../lib/clock.ts'
import { collection, link, linkUris, type Resource, resource } from '../../redfish/resource.ts'
import { readable } from '../../redfish/resource-table.ts'
import { uris } from '../../redfish/uris.ts'

const path = uris.manager(':manager')

type ManagerView = (bmc: Bmc, manager: string, id: string) => Resource | undefined

/** The log of the manager that serves Redfish: what updates came to, and what resets did to them. */
export const logRows: readonly Row[] = [
  {
    path: uris.logServices(path),
    type: 'LogServiceCollection',
    privileges: readable,
    view: ownManager(uris.logServices, (bmc, manager) => {
      const uri = uris.logServices(manager)
      const others = linkUris(bmc.machine.resources.get(uri)?.['Members'])
      const members = [...new Set([...others, uris.logService(manager)])]
      return collection('LogServiceCollection', uri, 'Log services', members)
    }),
  },
  {
    path: uris.logService(path),
    type: 'LogService',
    privileges: readable,
    view: ownManager(uris.logService, (_bmc, manager) => ({
      ...resource('LogService', uris.logService(manager), 'Firmware update log'),
      ServiceEnabled: true,
      LogEntryType: 'Event',
      LogPurposes: ['Operations'],
      MaxNumberOfRecords: MAX_LOG_RECORDS,
      OverWritePolicy: 'WrapsWhenFull',
      Status: { State: 'Enabled', Health: 'OK' },
      Entries: link(uris.logEntries(manager)),
    })),
  },
  {
    path: uris.logEntries(path),
    type: 'LogEntryCollection',
    privileges: readable,
    view: ownManager(uris.logEntries, (bmc, manager) => {
      const uri = uris.logEntries(manager)
      const entries = [...bmc.state.log.values()]
      return {
        ...collection('LogEntryCollection', uri, 'Firmware update log entries', []),
        'Members@odata.count': entries.length,
        // Log entries stand in their collection in full (LogEntryCollection, AutoExpand).
        Members: entries.map((entry) => entryView(manager, entry)),
      }
    }),
  },
  {
    path: uris.logEntry(path, ':id'),
    type: 'LogEntry',
    privileges: readable,
    view: ownManager(uris.logEntry, (bmc, manager, id) => {
      const entry = bmc.state.log.get(id)
      return entry && entryView(manager, entry)
    }),
  },
]

/** A view below the serving manager; below any other manager the machine's own data answers. */
function ownManager(uriOf: (manager: string, id: string) => string, view: ManagerView): Row['view'] {
  return (bmc, { manager = '', id = '' }) => {
    const uri = uris.manager(manager)
    return uri === bmc.machine.manager ? view(bmc, uri, id) : machineResource(bmc, uriOf(uri, id))
  }
}

function entryView(manager: string, { id, created, message, origin }: LogEntry): Resource {
  return {
    ...resource('LogEntry', uris.logEntry(manager, id), `Log entry ${id}`),
    EntryType: 'Event',
    Created: timestamp(created),
    Severity: message.MessageSeverity,
    MessageId: message.MessageId,
    Message: message.Message,
    MessageArgs: message.MessageArgs,
    Resolution: message.Resolution,
    Links: { OriginOfCondition: link(origin) },
  }
}
