import { X509Certificate } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { connect } from 'node:tls'
import { expect, test } from 'vitest'
import { buildBundle } from '../../src/image/build/bundle.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startCommand } from '../support/cli.ts'
import { startConsole } from '../support/console-wire.ts'
import { temporaryFolder } from '../support/wire.ts'

const LONG = { timeout: 60_000 }
const PATIENT = { timeout: 30_000, interval: 50 }
const quick = ['--type', 'pump', '--verify-time', '0', '--install-time', '0', '--boot-time', '0']

/** The certificate that is shown there (PEM), to whoever asks for these protocols. */
async function certificateAt(url: string, ...protocols: readonly string[]): Promise<string> {
  const { hostname: host, port } = new URL(url)
  const socket = connect({
    host,
    port: Number(port),
    rejectUnauthorized: false,
    ALPNProtocols: [...protocols],
  })
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  socket.once('error', reject)
  socket.once('secureConnect', () => resolve(new X509Certificate(socket.getPeerCertificate().raw).toString()))
  try {
    return await promise
  } finally {
    socket.destroy()
  }
}

test('devices come by MQTT over TLS alone, by the certificate of HTTPS, and are updated', LONG, async () => {
  const console = await startConsole({ https: true, mqtt: '', mqtts: '0' })
  const { mqttUrl, mqttsUrl: url = '', httpsUrl = '' } = console.emulator
  expect([mqttUrl, url]).toEqual([undefined, expect.stringMatching(/^mqtts:\/\/127\.0\.0\.1:[1-9]/)])
  const certificate = await certificateAt(url, 'mqtt')
  expect(await certificateAt(httpsUrl)).toBe(certificate)
  const file = `${await temporaryFolder()}/console.pem`
  await writeFile(file, certificate)

  const stranger = startCommand(['iot-device', '--broker', url, ...quick, '--id', 'stranger'])
  await expect.poll(stranger.out, PATIENT).toMatch(/no connection to mqtts:.*self.signed/)
  startCommand(['iot-device', '--broker', url, '--trust', file, ...quick, '--id', 'knowing'])
  await console.has(1)
  startCommand(['iot-device', '--broker', url, '--insecure', ...quick, '--id', 'careless'])
  await console.has(2)

  const component = { name: 'pump', version: '2.0.0', softwareId: 'pump', sizeBytes: 4_096 }
  expect(await console.update(await buffer(buildBundle([component])), {})).toMatchObject({ TaskStatus: 'OK' })
  expect(await console.ended(uris.job('1'))).toMatchObject({ JobState: 'Completed' })
  for (const id of ['1', '2'])
    expect(await console.get(uris.firmware(`${id}-firmware`))).toMatchObject({ Version: '2.0.0' })
})
