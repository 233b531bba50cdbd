import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { uris } from '../src/redfish/uris.ts'
import { basic, PASSWORD } from './support/emulator.ts'
import { bundleOf } from './support/images.ts'
import { absent, PATIENCE_MS, run, startBoth, works } from './support/programs.ts'
import { temporaryFolder } from './support/wire.ts'

interface Device {
  readonly DeviceId: string
  readonly Guid: readonly string[]
  readonly Version: string
  readonly Flags: readonly string[]
}

/** What fwupd needs: it reads a Task from the monitor, and waits for no reset (docs/conformance.md). */
const settings = { taskMonitor: 'task', awaitReset: 'completed', speed: 20 } as const
const hasFwupd = works('fwupdtool', ['--help'])

/** An emulator that is the only one whom an fwupdtool of its own configuration knows. */
async function startWithFwupd() {
  const service = await startBoth(settings)
  const folder = await temporaryFolder()
  const [configuration, state, cache] = ['etc', 'var', 'cache'].map((name) => join(folder, name))
  const env = {
    CONFIGURATION_DIRECTORY: configuration ?? '',
    STATE_DIRECTORY: state ?? '',
    CACHE_DIRECTORY: cache ?? '',
    FWUPD_LOCKDIR: cache ?? '',
  }
  for (const one of Object.values(env)) await mkdir(one, { recursive: true })
  const redfish = [`Uri=${service.url}`, 'Username=admin', `Password=${PASSWORD}`, 'CACheck=false']
  const file = ['[fwupd]', '[redfish]', ...redfish, ''].join('\n')
  await writeFile(join(env.CONFIGURATION_DIRECTORY, 'fwupd.conf'), file, { mode: 0o600 })
  const fwupdtool = (...args: readonly string[]) =>
    run('fwupdtool', [...args, '--plugins', 'redfish', '--no-reboot-check'], { env })
  const devices = async () => {
    const printed = await fwupdtool('get-devices', '--json')
    const { Devices } = JSON.parse(printed.slice(printed.indexOf('{'))) as {
      readonly Devices: readonly Device[]
    }
    return Devices
  }
  const componentOf = (id: string) => {
    const component = service.bmc.machine.components.get(id)
    if (component === undefined) throw new Error(`there is no ${id}`)
    return component
  }
  /** Has an image installed on a component, as fwupd knows it. */
  const install = async (id: string, image: Buffer) => {
    const { softwareId } = componentOf(id)
    const device = (await devices()).find(({ Guid }) => Guid.includes(softwareId))
    const blob = join(folder, 'update.tar')
    await writeFile(blob, image)
    return fwupdtool('install-blob', blob, device?.DeviceId ?? 'none')
  }
  const shown = async (id: string) => (await service.get(uris.firmware(id))).json
  return { ...service, devices, install, shown }
}

describe.skipIf(!hasFwupd)(`fwupdtool${absent(hasFwupd, 'fwupd')}`, () => {
  test(
    'knows every component that can be updated, its version and its GUID',
    async () => {
      const { bmc, devices } = await startWithFwupd()
      const components = [...bmc.machine.components.values()]
      const seen = (await devices()).map(({ Guid, Version }) => `${Guid[0]} ${Version}`)
      expect(seen.toSorted()).toEqual(
        components.map(({ softwareId, factory }) => `${softwareId} ${factory.version}`).toSorted(),
      )
    },
    PATIENCE_MS,
  )

  test(
    'installs an image, which its next look at the inventory tells of',
    async () => {
      const { bmc, devices, install, shown, spoolIsEmpty } = await startWithFwupd()
      const { softwareId } = bmc.machine.components.get('NIC-1') ?? {}
      await install('NIC-1', await bundleOf({ 'NIC-1': '22.42.1000' }))
      expect(await shown('NIC-1')).toMatchObject({ Version: '22.42.1000' })
      const device = (await devices()).find(({ Guid }) => Guid.some((one) => one === softwareId))
      expect(device).toMatchObject({ Version: '22.42.1000' })
      await spoolIsEmpty()
    },
    PATIENCE_MS,
  )

  test(
    'says that somebody has to act where an image waits for a reset, after which it runs',
    async () => {
      const { install, shown, get, url } = await startWithFwupd()
      await expect(install('BIOS', await bundleOf({ BIOS: '1.9.0' }))).rejects.toThrow('fwupdtool failed')
      expect(await shown('BIOS')).toMatchObject({ Version: '1.8.0', Status: { Conditions: [{}, {}] } })
      const action = new URL(uris.action(uris.system('1'), 'ComputerSystem.Reset'), url)
      await fetch(action, {
        method: 'POST',
        headers: {
          authorization: basic('admin'),
          'content-type': 'application/json',
        },
        body: '{"ResetType":"GracefulRestart"}',
      })
      const version = async () => (await get(uris.system('1'))).json['BiosVersion']
      await expect.poll(version, { timeout: PATIENCE_MS }).toBe('1.9.0')
    },
    PATIENCE_MS,
  )

  test(
    'fails with what is no image',
    async () => {
      const { install, shown, bmc } = await startWithFwupd()
      await expect(install('NIC-1', Buffer.from('no image'))).rejects.toThrow('fwupdtool failed')
      expect([...bmc.state.tasks.values()].map(({ state }) => state)).toEqual(['Exception'])
      expect(await shown('NIC-1')).toMatchObject({ Version: '22.41.1000' })
    },
    PATIENCE_MS,
  )
})
