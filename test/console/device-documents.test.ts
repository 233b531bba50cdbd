import { expect, test } from 'vitest'
import type { DeviceFacts } from '../../src/devices/device.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startLab } from '../support/lab.ts'
import { labDevice } from '../support/managed-devices.ts'
import { validateBody } from '../support/schemas.ts'

const SYSTEM = uris.system('1')
const taciturn: Partial<DeviceFacts> = {
  manufacturer: undefined,
  model: undefined,
  serialNumber: undefined,
  uuid: undefined,
  power: undefined,
  resetTypes: [],
  managerResetTypes: [],
  firmware: [],
}

test.each([
  ['all of itself', {}],
  ['nothing of itself', taciturn],
])(
  'a device that says %s shows what clients need of a system, a manager and a chassis',
  async (_what, facts) => {
    const { get } = await startLab(['lab'], { lab: labDevice('lab', facts) })
    const system = await get(SYSTEM)
    expect(system).toMatchObject({
      Id: '1',
      Actions: expect.any(Object),
      Boot: {},
    })
    for (const body of [system, await get(uris.manager('1')), await get(uris.chassisMember('1'))])
      expect(validateBody(body)).toEqual([])
  },
)

test('what a device boots from is not chosen at a console', async () => {
  const { get, send } = await startLab(['lab'])
  const before = await get(SYSTEM)
  const body = { Boot: { BootSourceOverrideEnabled: 'Once', BootSourceOverrideTarget: 'Pxe' } }
  expect((await send(SYSTEM, { method: 'PATCH', body })).status).toBe(405)
  expect(await get(SYSTEM)).toEqual(before)
})
