import type { Bmc, Row } from '../../bmc/bmc.ts'
import { type DeviceRecord, isAble, type ManagedDevice } from '../../bmc/managed-device.ts'
import { MAX_LOG_RECORDS } from '../../bmc/log.ts'
import { managerPath } from '../../bmc/serving-manager.ts'
import { DeviceLogs } from '../../console/device-logs.ts'
import type { Devices } from '../../console/devices.ts'
import { timestamp } from '../../lib/clock.ts'
import { collection, link, type Resource, resource } from '../../redfish/resource.ts'
import type { Params } from '../../redfish/resource-table.ts'
import { DEVICE_LOG, uris } from '../../redfish/uris.ts'

/** The logs that some devices keep themselves: a look at the entries reads them. */
export function deviceLogRows(devices: Devices): Row[] {
  const logs = new DeviceLogs(devices)
  return [
    {
      path: uris.logService(managerPath, DEVICE_LOG),
      type: 'LogService',
      view: ofDevice(serviceView),
    },
    {
      path: uris.logEntries(managerPath, DEVICE_LOG),
      type: 'LogEntryCollection',
      refresh: (bmc, { manager = '' }) => logs.read(bmc, manager),
      view: ofDevice((device, bmc) => {
        const uri = uris.logEntries(uris.manager(device.id), DEVICE_LOG)
        const entries = entriesOf(bmc, device)
        return {
          ...collection('LogEntryCollection', uri, 'Device log entries', []),
          'Members@odata.count': entries.size,
          // Log entries stand in their collection in full (LogEntryCollection, AutoExpand).
          Members: [...entries.values()],
        }
      }),
    },
    {
      path: uris.logEntry(managerPath, ':id', DEVICE_LOG),
      type: 'LogEntry',
      // Whoever goes through the entries has had all of them read before.
      refresh: (bmc, { manager = '' }) =>
        bmc.state.deviceLogs.has(manager) ? undefined : logs.read(bmc, manager),
      view: ofDevice((device, bmc, id) => entriesOf(bmc, device).get(id)),
    },
  ]
}

/** The logs of a device's manager; `undefined` where it is none, or keeps none. */
export const deviceLogServices: Row['view'] = ofDevice(({ id }) => {
  const uri = uris.logServices(uris.manager(id))
  return collection('LogServiceCollection', uri, 'Log services', [
    uris.logService(uris.manager(id), DEVICE_LOG),
  ])
})

function ofDevice(view: (device: ManagedDevice, bmc: Bmc, id: string) => Resource | undefined): Row['view'] {
  return (bmc, { manager = '', id = '' }: Params) => {
    const device = bmc.state.devices.get(manager)
    return isAble(device, 'log') ? view(device, bmc, id) : undefined
  }
}

function serviceView({ id, isReachable }: ManagedDevice): Resource {
  const manager = uris.manager(id)
  return {
    ...resource('LogService', uris.logService(manager, DEVICE_LOG), 'Device log'),
    Description: 'What the device has recorded itself',
    ServiceEnabled: true,
    LogEntryType: 'OEM',
    LogPurposes: ['Security', 'Operations'],
    MaxNumberOfRecords: MAX_LOG_RECORDS,
    OverWritePolicy: 'Unknown',
    Status: isReachable ? { State: 'Enabled', Health: 'OK' } : { State: 'UnavailableOffline' },
    Entries: link(uris.logEntries(manager, DEVICE_LOG)),
  }
}

/** Its entries by their Ids: the second in which each was made, and which of that second it is. */
function entriesOf({ state }: Bmc, { id: device, method }: ManagedDevice): ReadonlyMap<string, Resource> {
  const entries = new Map<string, Resource>()
  const made = new Map<number, number>()
  for (const record of state.deviceLogs.get(device) ?? []) {
    const second = Math.floor(record.time / 1_000)
    const which = (made.get(second) ?? 0) + 1
    made.set(second, which)
    const id = `${second}-${which}`
    const uri = uris.logEntry(uris.manager(device), id, DEVICE_LOG)
    entries.set(id, entryView(uri, record, method))
  }
  return entries
}

function entryView(uri: string, { time, severity, text, user, address }: DeviceRecord, by: string): Resource {
  return {
    ...resource('LogEntry', uri, 'Device log entry'),
    EntryType: 'Oem',
    OemRecordFormat: by,
    Created: timestamp(time),
    Severity: severity,
    Message: text,
    OriginatorType: user === undefined ? 'Internal' : 'Client',
    Username: user,
    OriginAddress: address,
  }
}
