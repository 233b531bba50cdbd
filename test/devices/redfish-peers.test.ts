import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createRedfishAdapter } from '../../src/devices/redfish/redfish-adapter.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { absent, checkout, PATIENCE_MS, PYTHON, TOOLS, works } from '../support/programs.ts'

const mockups = checkout('DMTF', 'Redfish-Mockup-Server')
const program = join(mockups ?? '', 'redfishMockupServer.py')
const isThere = mockups !== undefined && works(PYTHON, [program, '--help'])

test.skipIf(!isThere)(
  `DMTF’s mockup of a rack server is looked at${absent(isThere, `Redfish-Mockup-Server in ${TOOLS}`)}`,
  { timeout: PATIENCE_MS },
  async () => {
    const port = await freePort()
    const folder = join(mockups ?? '', 'public-rackmount1')
    const args = [program, '--short-form', '--dir', folder, '--host', '127.0.0.1', '--port', String(port)]
    const server = spawn(PYTHON, args, { stdio: 'ignore', env: { PYTHONDONTWRITEBYTECODE: '1' } })
    onTestFinished(() => void server.kill())
    const adapter = createRedfishAdapter({ clock: systemClock })
    onTestFinished(() => adapter.close())
    const device = { hostName: `http://127.0.0.1:${port}`, userName: 'admin', password: 'any' }
    const look = () => adapter.look(device, new AbortController().signal)
    await expect.poll(async () => (await look()).ok, { timeout: PATIENCE_MS / 2 }).toBe(true)
    const seen = await look()
    expect(seen).toMatchObject({
      value: {
        name: 'web483',
        manufacturer: 'Contoso',
        serialNumber: '437XR1138R2',
        power: 'On',
        managerResetTypes: ['ForceRestart', 'GracefulRestart'],
      },
    })
    expect(seen.ok && seen.value.firmware.map(({ id, of }) => [id, of])).toEqual([
      ['BMC', 'manager'],
      ['SS', 'system'],
      ['BIOS', 'system'],
    ])
  },
)

/** One that was free a moment ago: the program takes none that it chose itself. */
async function freePort(): Promise<number> {
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo // a TCP server's address
  server.close()
  await once(server, 'close')
  return port
}
