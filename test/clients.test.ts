import { describe, expect, test } from 'vitest'
import { uris } from '../src/redfish/uris.ts'
import { PASSWORD } from './support/emulator.ts'
import { absent, PATIENCE_MS, PYTHON, run, startBoth, works } from './support/programs.ts'

const hasRedfishtool = works('redfishtool', ['-h'])
const hasSushy = works(PYTHON, ['-c', 'import sushy'])
const system = uris.system('1')

describe.skipIf(!hasRedfishtool)(`redfishtool${absent(hasRedfishtool, 'redfishtool')}`, () => {
  /** Calls it with a way to log in; to the JSON that it prints. */
  const tool = async (httpsUrl: string, authentication: string, ...args: readonly string[]) => {
    const credentials = ['-u', 'admin', '-p', PASSWORD, '-A', authentication]
    const options = ['-r', new URL(httpsUrl).host, '-S', 'Always', ...credentials]
    const stdout = await run('redfishtool', [...options, ...args])
    const start = stdout.search(/^[[{]/m)
    return (start === -1 ? {} : JSON.parse(stdout.slice(start))) as Record<string, unknown>
  }

  test.each(['Basic', 'Session'])(
    'logs in (%s) and walks',
    async (authentication) => {
      const { httpsUrl, bmc } = await startBoth()
      const walked = ['root', 'Systems', 'Chassis', 'Managers', 'AccountService', 'SessionService']
      for (const what of walked) {
        expect(await tool(httpsUrl, authentication, what)).toHaveProperty('@odata.id')
      }
      expect(await tool(httpsUrl, authentication, 'Systems', '-I', '1')).toMatchObject({
        '@odata.id': system,
      })
      const inventory = await tool(httpsUrl, authentication, 'raw', 'GET', uris.firmwareInventory)
      expect(inventory['Members@odata.count']).toBe((inventory['Members'] as readonly unknown[]).length)
      // A session of its own for each call, ended after it.
      expect(bmc.state.sessions.size).toBe(0)
    },
    PATIENCE_MS,
  )

  test(
    'changes an asset tag and resets a system',
    async () => {
      const { httpsUrl, get } = await startBoth()
      const systems = (...args: readonly string[]) => tool(httpsUrl, 'Session', 'Systems', '-I', '1', ...args)
      await systems('setAssetTag', 'rack 7')
      expect((await get(system)).json).toMatchObject({ AssetTag: 'rack 7' })
      await systems('patch', '{"AssetTag": "rack 8"}')
      expect((await get(system)).json).toMatchObject({ AssetTag: 'rack 8' })
      await systems('reset', 'ForceOff')
      expect((await get(system)).json).toMatchObject({ PowerState: 'Off' })
      await systems('reset', 'On')
      await expect.poll(async () => (await get(system)).json['PowerState']).toBe('On')
    },
    PATIENCE_MS,
  )
})

/** Prints what it saw as JSON. */
const SUSHY = `
import json, sys
import sushy
from sushy import auth
url, user, password = sys.argv[1:]
root = sushy.Sushy(url, verify=False, auth=auth.SessionAuth(user, password))
seen = {
    'systems': [one.identity for one in root.get_system_collection().get_members()],
    'chassis': [one.identity for one in root.get_chassis_collection().get_members()],
    'managers': [one.identity for one in root.get_manager_collection().get_members()],
    'components': [one.identity for one in root.get_update_service().firmware_inventory.get_members()],
}
system = root.get_system('/redfish/v1/Systems/1')
system.set_system_boot_options(target=sushy.BOOT_SOURCE_TARGET_PXE, enabled=sushy.BOOT_SOURCE_ENABLED_CONTINUOUS)
system.reset_system(sushy.RESET_TYPE_FORCE_OFF)
system.refresh(force=True)
seen['boot'] = [system.boot['target'].value, system.boot['enabled'].value]
seen['power'] = system.power_state.value
subscription = root.get_event_service().subscriptions.create({
    'Destination': 'http://127.0.0.1:9/events', 'Protocol': 'Redfish', 'Context': 'sushy', 'EventTypes': ['Alert'],
})
seen['subscription'] = subscription.path
seen['context'] = subscription.context
subscription.delete()
print(json.dumps(seen))
`

test.skipIf(!hasSushy)(
  `sushy logs in, walks, changes the boot override, resets and subscribes${absent(hasSushy, 'python3-sushy')}`,
  async () => {
    const { httpsUrl, bmc, get } = await startBoth()
    const { json: inventory } = await get(uris.firmwareInventory)
    const members = inventory['Members'] as readonly { readonly '@odata.id': string }[]
    const stdout = await run(PYTHON, ['-c', SUSHY, httpsUrl, 'admin', PASSWORD])
    expect(JSON.parse(stdout)).toEqual({
      systems: ['1'],
      chassis: ['1'],
      managers: ['1'],
      components: members.map((member) => member['@odata.id'].split('/').at(-1)),
      boot: ['Pxe', 'Continuous'],
      power: 'Off',
      subscription: expect.stringMatching(RegExp(`^${uris.eventDestinations}/\\w+$`)),
      context: 'sushy',
    })
    expect((await get(system)).json).toMatchObject({ Boot: { BootSourceOverrideTarget: 'Pxe' } })
    expect(bmc.state.subscriptions.size).toBe(0)
  },
  PATIENCE_MS,
)
