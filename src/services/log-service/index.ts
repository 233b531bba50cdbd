import type { Bmc, BmcAction, Row } from '../../bmc/bmc.ts'
import { commit } from '../../bmc/commit.ts'
import { cleared, type LogId, logs, maxRecords } from '../../bmc/log.ts'
import { managerPath, servedBelow, servingManager } from '../../bmc/serving-manager.ts'
import type { LogEntry } from '../../bmc/state.ts'
import type { Devices } from '../../console/devices.ts'
import { Type, type Static } from '../../lib/schema.ts'
import { RedfishError } from '../../redfish/errors.ts'
import { etagOf } from '../../redfish/etag.ts'
import { about, message } from '../../redfish/messages/message.ts'
import { present } from '../../redfish/patch.ts'
import { firstPage } from '../../redfish/query/page.ts'
import { collection, link, linkUris, type Resource, resource } from '../../redfish/resource.ts'
import { type Answer, type Call } from '../../redfish/resource-table.ts'
import { AUDIT_LOG, JOB_LOG, LOG, uris } from '../../redfish/uris.ts'
import { deviceLogRows, deviceLogServices } from './device-log.ts'
import { entryView } from './entry-view.ts'

const CLEAR = 'LogService.ClearLog'
const DOWNLOAD = 'LogService.DownloadRawLog'

const ClearParameters = Type.Object(
  { LogEntriesETag: Type.Optional(Type.String()) },
  { additionalProperties: false },
)
const NoParameters = Type.Object({}, { additionalProperties: false })

const descriptions: Readonly<Record<LogId, { readonly name: string; readonly purposes: readonly string[] }>> =
  {
    [LOG]: { name: 'Firmware update log', purposes: ['Operations'] },
    [AUDIT_LOG]: { name: 'Audit log', purposes: ['Security', 'Operations'] },
    [JOB_LOG]: { name: 'Job log', purposes: ['Operations'] },
  }

/** The logs of the manager that serves Redfish (what updates came to, who did what and was refused what), and of its jobs. */
export function logRows(pageSize: number, devices: Devices | undefined): Row[] {
  return [
    {
      path: uris.logServices(managerPath),
      type: 'LogServiceCollection',
      view: (bmc, params) => deviceLogServices(bmc, params) ?? logServices(bmc, params),
    },
    ...(devices ? deviceLogRows(devices) : []),
    ...rowsOf(LOG, pageSize),
    ...rowsOf(AUDIT_LOG, pageSize),
    ...rowsOf(JOB_LOG, pageSize),
  ]
}

const logServices = servedBelow(uris.logServices, (bmc, manager) => {
  const uri = uris.logServices(manager)
  const others = linkUris(bmc.machine.resources.get(uri)?.['Members'])
  const own = [LOG, AUDIT_LOG].map((log) => uris.logService(manager, log))
  return collection('LogServiceCollection', uri, 'Log services', [...new Set([...others, ...own])])
})

function rowsOf(log: LogId, pageSize: number): Row[] {
  const { name, purposes } = descriptions[log]
  return [
    {
      path: uris.logService(managerPath, log),
      type: 'LogService',
      view: servedBelow(
        (manager) => uris.logService(manager, log),
        (bmc, manager) => {
          const uri = uris.logService(manager, log)
          return {
            ...resource('LogService', uri, name),
            ServiceEnabled: true,
            LogEntryType: 'Event',
            LogPurposes: purposes,
            MaxNumberOfRecords: maxRecords(bmc, logs[log]),
            OverWritePolicy: 'WrapsWhenFull',
            Status: { State: 'Enabled', Health: 'OK' },
            Entries: link(uris.logEntries(manager, log)),
            Actions: {
              [`#${CLEAR}`]: { target: uris.action(uri, CLEAR) },
              [`#${DOWNLOAD}`]: { target: uris.action(uri, DOWNLOAD) },
            },
          }
        },
      ),
      actions: { [CLEAR]: clearAction(log, pageSize), [DOWNLOAD]: downloadAction(log) },
    },
    {
      path: uris.logEntries(managerPath, log),
      type: 'LogEntryCollection',
      view: servedBelow(
        (manager) => uris.logEntries(manager, log),
        (bmc, manager) => entriesView(bmc, manager, log),
      ),
    },
    {
      path: uris.logEntry(managerPath, ':id', log),
      type: 'LogEntry',
      view: servedBelow(
        (manager, id) => uris.logEntry(manager, id, log),
        (bmc, manager, id) => {
          const entry = bmc.state[logs[log]].get(id)
          return entry && entryView(bmc, uris.logEntry(manager, id, log), entry)
        },
      ),
      patch: { writable: (shown) => present({ Resolved: true }, shown), apply: (call) => resolve(log, call) },
      delete: (call) => remove(log, call),
    },
  ]
}

function entriesView(bmc: Bmc, manager: string, log: LogId): Resource {
  const uri = uris.logEntries(manager, log)
  const entries = [...bmc.state[logs[log]].values()]
  return {
    ...collection('LogEntryCollection', uri, `${descriptions[log].name} entries`, []),
    'Members@odata.count': entries.length,
    // Log entries stand in their collection in full (LogEntryCollection, AutoExpand).
    Members: entries.map((entry) => entryView(bmc, uris.logEntry(manager, entry.id, log), entry)),
  }
}

/** ClearLog; a client that knows an older state of the entries loses nothing that it has not seen (428). */
function clearAction(log: LogId, pageSize: number): BmcAction {
  return {
    parameters: ClearParameters,
    run: (call) => {
      const { bmc, body } = call
      const { LogEntriesETag } = body as Static<typeof ClearParameters>
      const seen = entriesView(bmc, servingManager(call), log)
      if (LogEntriesETag !== undefined && LogEntriesETag !== etagOf(firstPage(seen, pageSize))) {
        throw new RedfishError(428, about(message('Base.PreconditionRequired'), '/LogEntriesETag'))
      }
      commit(bmc, cleared(bmc, log))
      return { status: 204 }
    },
  }
}

function downloadAction(log: LogId): BmcAction {
  return {
    parameters: NoParameters,
    run: (call) => ({ status: 200, body: { DownloadURI: uris.rawLog(servingManager(call), log) } }),
  }
}

function resolve(log: LogId, call: Call<Bmc>): void {
  const entry = find(log, call)
  const { Resolved } = call.body as { readonly Resolved: boolean }
  change(log, call.bmc, entry.id, { ...entry, isResolved: Resolved })
}

function remove(log: LogId, call: Call<Bmc>): Answer {
  change(log, call.bmc, find(log, call).id, undefined)
  return { status: 204 }
}

function find(log: LogId, call: Call<Bmc>): LogEntry {
  servingManager(call)
  const entry = call.bmc.state[logs[log]].get(call.params['id'] ?? '')
  if (entry === undefined) throw new Error(`no entry ${call.params['id']} in ${log}, though it was shown`)
  return entry
}

function change(log: LogId, bmc: Bmc, id: string, entry: LogEntry | undefined): void {
  commit(bmc, { [logs[log]]: [[id, entry]] })
}
