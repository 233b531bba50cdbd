import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { addressAt } from '../../src/http/reach.ts'
import { uris } from '../../src/redfish/uris.ts'
import { account, softwareIds } from '../support/amt-peer.ts'
import { startConsole, startProcess } from '../support/console-wire.ts'
import { PASSWORD } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { isProof } from '../support/sample.ts'

/** So many of each kind. */
const EACH = isProof ? 100 : 4
const FIRST_BMC = '127.6.0.1'
const FIRST_AMT = '127.7.0.1'
const NEW = '99.1.0'
/** The computer in this place refuses every image, and the last of the MQTT devices cannot install any. */
const REFUSING = 2

type Console = Awaited<ReturnType<typeof startConsole>>

/** A port that nobody has now, at any of our addresses. */
async function freePort(): Promise<string> {
  const server = createServer().listen(0, FIRST_AMT)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // a TCP server's address
  await new Promise((resolve) => {
    server.close(resolve)
  })
  return String(port)
}

/** Who is there, in the order of their Ids: BMCs, then computers with AMT, then devices over MQTT. */
async function attachAll(console: Console): Promise<void> {
  const port = await freePort()
  const fleet = `serve --bmcs ${EACH} --first-address ${FIRST_BMC} --port 0 --no-https --speed max`
  const amt = `amt-device --count ${EACH} --address ${FIRST_AMT} --port ${port} --tls-port 0 --allow-http --speed max`
  const credentials = ['--user', account.userName, '--password', account.password]
  const [ready] = await Promise.all([
    startProcess(...fleet.split(' '), '--log-level', 'silent'),
    startProcess(...amt.split(' '), '--fault', `${REFUSING}=verify`, ...credentials),
  ])
  const bmcPort = /:(\d+)/.exec(ready)?.[1]
  for (let place = 0; place < EACH; place++) {
    const bmc = {
      HostName: `http://${addressAt(FIRST_BMC, place)}:${bmcPort}`,
      UserName: 'admin',
      Password: PASSWORD,
    }
    expect(await console.attach('Redfish', bmc)).toBe(201)
  }
  for (let place = 0; place < EACH; place++) {
    const HostName = `http://${addressAt(FIRST_AMT, place)}:${port}`
    const computer = { HostName, UserName: account.userName, Password: account.password }
    expect(await console.attach('AMT', computer)).toBe(201)
  }
  const broker = console.emulator.mqttUrl ?? ''
  const iot = `iot-device --broker ${broker} --type pump --install-time 10 --verify-time 10 --boot-time 10`
  await startProcess(...iot.split(' '), '--count', String(EACH - 1))
  await console.has(3 * EACH - 1)
  await startProcess(...iot.split(' '), '--id', 'broken', '--fail', 'unsupported-image')
  await console.has(3 * EACH)
}

test(
  `a roll-out reaches ${3 * EACH} devices of three kinds over their own sockets, and tells who failed`,
  { timeout: isProof ? 600_000 : 120_000 },
  async () => {
    const console = await startConsole()
    await attachAll(console)
    const [bios = ''] = softwareIds.bios
    const image = await bundleOf({ 'NIC-1': NEW, [bios]: NEW, pump: NEW })
    const Waves = [{ Name: 'Canary', Percent: 10 }, { Percent: 100 }]
    const RollOut = {
      Waves,
      Order: { By: 'Random', Seed: 'seven' },
      MaxParallel: 20,
      FailureThreshold: { Percent: 100 },
    }
    await console.update(image, { Oem: { Redflash: { RollOut } } })
    const job = await console.ended(uris.job('1'))
    expect(job).toMatchObject({
      JobState: 'Exception',
      Oem: { Redflash: { Devices: { Failed: 2, Succeeded: 3 * EACH - 2 } } },
    })
    const runs = async (id: number, firmware: string): Promise<unknown> =>
      (await console.get(uris.firmware(`${id}-${firmware}`)))['Version']
    const kinds = ['NIC-1', 'BIOS', 'firmware']
    const versions = kinds.flatMap((firmware, kind) =>
      Array.from({ length: EACH }, (_, place) => runs(kind * EACH + place + 1, firmware)),
    )
    const old = (await Promise.all(versions)).flatMap((version, place) =>
      version === NEW ? [] : [place + 1],
    )
    expect(old).toEqual([EACH + REFUSING, 3 * EACH])
  },
)
