import { uris } from '../../src/redfish/uris.ts'
import { startEmulator, type TestEmulator, type TestOptions } from './emulator.ts'
import { DEVICE_PASSWORD, labDevice, labMethod, type LabDevice } from './managed-devices.ts'

/** What a client sends to have a device of the lab attached. */
export const sourceOf = (hostName: string, members: object = {}) => ({
  HostName: hostName,
  UserName: 'root',
  Password: DEVICE_PASSWORD,
  Links: { ConnectionMethod: { '@odata.id': uris.connectionMethod('Lab') } },
  ...members,
})

export async function attach({ send }: Pick<TestEmulator, 'send'>, hostName: string, members: object = {}) {
  return send(uris.aggregationSources, { method: 'POST', body: sourceOf(hostName, members) })
}

/** A console, and the devices that it can reach; those that are named are attached. */
export async function startLab(
  names: readonly string[] = [],
  devices: Readonly<Record<string, LabDevice>> = {},
  options: TestOptions = {},
) {
  const all = { ...Object.fromEntries(names.map((name) => [name, labDevice(name)])), ...devices }
  const emulator = await startEmulator({ machine: 'console', methods: [labMethod(all)], ...options })
  for (const name of names) await attach(emulator, name)
  const device = (name: string): LabDevice => {
    const found = all[name]
    if (found === undefined) throw new Error(`there is no ${name}`)
    return found
  }
  return { ...emulator, devices: all, device }
}
