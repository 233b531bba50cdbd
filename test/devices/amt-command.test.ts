import { describe, expect, onTestFinished, test } from 'vitest'
import { createAmtAdapter } from '../../src/devices/amt/amt-adapter.ts'
import type { DeviceAddress } from '../../src/devices/device.ts'
import { buildBundle } from '../../src/image/build/bundle.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { buffer } from 'node:stream/consumers'
import { deviceJob, stages } from '../contracts/device-adapter.ts'
import { runCommand, startCommand } from '../support/cli.ts'
import { startPublisher } from '../support/image-publisher.ts'

const never = new AbortController().signal
const version = '16.1.30.2307'

/** The command, its machines at free ports, and an adapter that reaches them. */
async function start(...args: readonly string[]) {
  const free = ['--by', 'port', '--port', '0', '--tls-port', '0', '--speed', 'max', '--allow-http']
  const command = startCommand(['amt-device', ...free, ...args])
  await expect.poll(command.out, { timeout: 10_000 }).toContain('images name')
  const urls = command.out().match(/https?:\S+:\d+/g) ?? []
  const publisher = await startPublisher()
  const adapter = createAmtAdapter({
    clock: systemClock,
    publish: publisher.publish,
    patience: { pollMs: 5, versionMs: 100 },
  })
  onTestFinished(() => adapter.close())
  const addressOf = (hostName = ''): DeviceAddress => ({ hostName, userName: 'admin', password: 'redflash' })
  const update = async (address: DeviceAddress): Promise<boolean> => {
    const seen = await adapter.look(address, never)
    const firmware = seen.ok ? seen.value.firmware.find(({ id }) => id === 'CSME') : undefined
    if (firmware === undefined) throw new Error('it has no CSME')
    const order = { name: 'CSME', version, softwareId: firmware.softwareId ?? '', sizeBytes: 2 ** 16 }
    const job = deviceJob(address, firmware, { image: await buffer(buildBundle([order])), version })
    for (const stage of stages) {
      const result = await adapter[stage](job)
      if (!result.ok) return false
    }
    return true
  }
  return { command, urls, adapter, addressOf, update }
}

describe('redflash amt-device', () => {
  test('serves machines by HTTP and HTTPS, each with a name of its own, until it is stopped', async () => {
    const { command, urls, adapter, addressOf } = await start('--count', '2', '--bios', '9.9.9')
    expect(urls.map((url) => url.replace(/:\d+$/, ''))).toEqual([
      'http://127.0.0.1',
      'https://127.0.0.1',
      'http://127.0.0.1',
      'https://127.0.0.1',
    ])
    const seen = await Promise.all(urls.map((url) => adapter.look(addressOf(url), never)))
    const facts = seen.flatMap((one) => (one.ok ? [one.value] : []))
    expect(facts.map(({ firmware }) => firmware[0]?.version)).toEqual(['9.9.9', '9.9.9', '9.9.9', '9.9.9'])
    const [first, sameFirst, second, sameSecond] = facts.map(({ uuid }) => uuid)
    expect([first, second]).toEqual([sameFirst, sameSecond])
    expect(first).not.toBe(second)
    command.stop()
    expect(await command.exitCode).toBe(0)
    expect(await adapter.look(addressOf(urls[0]), never)).toMatchObject({ problem: { kind: 'unreachable' } })
  })

  test('tells machines apart by their addresses', async () => {
    const free = ['--port', '0', '--tls-port', '0']
    const command = startCommand(['amt-device', '--count', '3', '--address', '127.2.255.254', ...free])
    await expect.poll(command.out, { timeout: 10_000 }).toMatch(/127\.2\.255\.254:.*127\.3\.0\.0:/)
  })

  test('has machines that are updated, and one that fails as it was told to', async () => {
    const { command, urls, addressOf, update } = await start('--count', '2', '--fault', '2=csme')
    expect([await update(addressOf(urls[0])), await update(addressOf(urls[2]))]).toEqual([true, false])
    expect(command.out()).toContain(`machine 1: installs csme ${version}`)
  })

  test('shows codes that users are to read', async () => {
    const { command, urls, adapter, addressOf } = await start('--consent', 'all')
    await adapter.abilities.askConsent(addressOf(urls[0]), never)
    expect(command.out()).toMatch(/machine 1: user consent code \d{6}\n/)
  })

  test.each([
    ['--count', '0'],
    ['--count', 'many'],
    ['--by', 'name'],
    ['--address', '127.2.0'],
    ['--address', '127.2.0.256'],
    ['--port', '65536'],
    ['--https-boot', 'perhaps'],
    ['--consent', 'some'],
    ['--software-id', 'nic=1'],
    ['--fault', 'rust'],
    ['--fault', 'x=csme'],
    ['--speed', '0'],
    ['--speed', 'fast'],
  ])('does not start with %s %s', async (option, value) => {
    const { exitCode, err, out } = await runCommand(['amt-device', option, value])
    expect(exitCode).toBe(1)
    expect(err).toContain(option)
    expect(out).toBe('')
  })
})
