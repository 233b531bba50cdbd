import { describe, expect, test } from 'vitest'
import { createMqttAdapter } from '../../src/devices/mqtt/adapter.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { stages } from '../contracts/device-adapter.ts'
import { runCommand, startCommand } from '../support/cli.ts'
import { pumpJob, startBroker, startImages, startManager, until } from '../support/mqtt.ts'

const quick = ['--verify-time', '0', '--install-time', '0', '--boot-time', '0', '--start-rate', '1000']

describe('redflash iot-device', () => {
  test.each([
    ['each for itself', []],
    ['behind a gateway', ['--gateway']],
    ['with the quirks of IBM’s SDK', ['--quirk', 'ibm-sdk']],
  ])('simulates devices that are managed and updated, %s', async (_how, options) => {
    const broker = await startBroker({ tokens: new Map([['*', 'of all']]) })
    const manager = startManager(broker)
    const url = `mqtt://127.0.0.1:${broker.port}`
    const given = [
      '--broker',
      url,
      '--count',
      '3',
      '--type',
      'pump',
      '--id',
      'p',
      '--firmware',
      '1.1',
      ...quick,
    ]
    const command = startCommand(['iot-device', ...given, ...options], {
      environment: { REDFLASH_IOT_TOKEN: 'of all' },
    })
    await until(manager, () => manager.devices().length === 3)
    expect(manager.devices().map(({ key, info }) => [key, info.fwVersion])).toEqual([
      ['pump/p-1', '1.1'],
      ['pump/p-2', '1.1'],
      ['pump/p-3', '1.1'],
    ])
    const { publish } = await startImages()
    const adapter = createMqttAdapter(manager, { clock: systemClock, publish })
    const job = pumpJob({ image: Buffer.alloc(100_000), version: '1.2' }, 'pump/p-2')
    for (const stage of stages) expect(await adapter[stage](job)).toMatchObject({ ok: true })
    expect(manager.device('pump/p-2')?.info.fwVersion).toBe('1.2')
    for (const line of ['pump/p-2 is managed, runs 1.1', 'pump/p-2 downloads 1.2', 'pump/p-2 runs 1.2'])
      expect(command.out()).toContain(`${line}\n`)
    command.stop()
    expect(await command.exitCode).toBe(0)
  })

  test('makes something go wrong where that is asked for', async () => {
    const broker = await startBroker()
    const manager = startManager(broker)
    const url = `mqtt://127.0.0.1:${broker.port}`
    startCommand(['iot-device', '--broker', url, ...quick, '--fail', 'verification-failed'])
    await until(manager, () => manager.devices().length === 1)
    const { publish } = await startImages()
    const adapter = createMqttAdapter(manager, { clock: systemClock, publish })
    const job = pumpJob({ image: Buffer.alloc(100), version: '2' }, 'redflash/device-1')
    await adapter.transfer(job)
    expect(await adapter.verify(job)).toMatchObject({ problem: { kind: 'corrupt' } })
  })

  test('says why it is not connected, and goes on', async () => {
    const broker = await startBroker({ tokens: new Map([['*', 'of all']]) })
    const url = `mqtt://127.0.0.1:${broker.port}`
    const command = startCommand([
      'iot-device',
      '--broker',
      url,
      '--token',
      'wrong',
      '--count',
      '5',
      ...quick,
    ])
    await expect.poll(command.out).toMatch(/no connection to .*: .*[Nn]ot authorized/)
    expect(command.out()).not.toContain('wrong')
    command.stop()
    expect(await command.exitCode).toBe(0)
    expect(command.out().match(/no connection/g)).toHaveLength(1)
  })

  test.each([
    ['--count', '100001'],
    ['--count', 'many'],
    ['--lifetime', '-1'],
    ['--capacity', 'large'],
    ['--fail', 'somehow'],
    ['--quirk', 'some'],
    ['--id', 'a b'],
    ['--type', 'x'.repeat(37)],
  ])('complains of %s %s', async (option, value) => {
    const { exitCode, err } = await runCommand(['iot-device', option, value])
    expect(exitCode).toBe(1)
    expect(err).toContain('error:')
  })
})
