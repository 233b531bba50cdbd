import { expect, test } from 'vitest'
import { machineNames } from '../../src/bmc/mockup-folder.ts'
import { giveOwnUuid } from '../../src/fleet/service-uuid.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator } from '../support/emulator.ts'

const here = { host: '127.0.0.1', port: 8000, httpsPort: 8443 }

async function start(place: typeof here, machine = 'console') {
  const { bmc, get } = await startEmulator({ machine })
  const shown = async () => [
    (await get(`${uris.root}/`))['UUID'],
    (await get(bmc.machine.manager))['ServiceEntryPointUUID'],
  ]
  const before = await shown()
  giveOwnUuid(bmc, place)
  return { bmc, shown, before }
}

test.each([...machineNames, 'console'])(
  'a service of %s is not another of the same machine',
  async (machine) => {
    const { before, shown } = await start(here, machine)
    const [root, manager] = await shown()
    expect(root).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect([manager, before.includes(root)]).toEqual([root, false])
  },
)

test.each([
  ['is the same where it listens again', here, true],
  ['is another at another port', { ...here, port: 8001 }, false],
  ['is another at another address', { ...here, host: '127.0.0.2' }, false],
] as const)('a service %s', async (_what, place, isSame) => {
  const [one, other] = [await start(here), await start(place)]
  expect((await one.shown())[0] === (await other.shown())[0]).toBe(isSame)
})

test('services that listen at any port that is free are others each time', async () => {
  const anywhere = { ...here, port: 0 }
  const [one, other] = [await start(anywhere), await start(anywhere)]
  expect(await one.shown()).not.toEqual(await other.shown())
})

test('a service that is kept stays who it is, wherever it listens later', async () => {
  const { bmc, shown } = await start(here)
  const before = await shown()
  giveOwnUuid(bmc, { ...here, port: 8001 })
  expect(await shown()).toEqual(before)
})
