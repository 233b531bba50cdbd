import type { DeviceAdapter, DeviceAddress } from '../devices/device.ts'
import type { FirmwareImage } from '../devices/flasher.ts'
import type { ManagedDevices } from '../devices/mqtt/manager.ts'
import { plainHost } from '../lib/address-list.ts'
import type { Clock } from '../lib/clock.ts'
import type { Method } from './method.ts'
import type { MqttDevices, MqttOptions } from './mqtt.ts'
import type { OwnOptions } from './own-methods.ts'
import type { Publication, Published } from './published.ts'

/** What reaching devices takes. */
export interface MethodOptions extends MqttOptions, OwnOptions {
  readonly clock: Clock
  /** For devices that fetch their images. */
  readonly published: Published
}

/** The ways in which a console reaches devices, and what is to be said of them. */
export interface Methods {
  readonly methods: readonly Method[]
  /** Where devices come to by MQTT, and by MQTT over TLS; `undefined`: they do not. */
  readonly mqttUrl: string | undefined
  readonly mqttsUrl: string | undefined
  /** What those can be asked for beside what all devices can. */
  readonly mqttDevices: ManagedDevices | undefined
}

/** Makes the ways in which a console reaches devices. */
export async function makeMethods(options: MethodOptions): Promise<Methods> {
  const { clock, published, mqtt, tls, deviceCommand, deviceModule } = options
  const hasOwn = deviceCommand !== '' || deviceModule !== ''
  const own = hasOwn ? await (await import('./own-methods.ts')).makeOwnMethods(options) : []
  const [{ createRedfishAdapter }, { createAmtAdapter }] = await Promise.all([
    import('../devices/redfish/redfish-adapter.ts'),
    import('../devices/amt/amt-adapter.ts'),
  ])
  const publish = (image: FirmwareImage, { hostName }: DeviceAddress): Promise<Publication> =>
    published.publish(image, { peer: hostOf(hostName) })
  const byMqtt = mqtt === '' && tls === undefined ? undefined : await makeMqttBeside(own, options)
  const methods = [
    method('Redfish', 'Redfish', createRedfishAdapter({ clock, publish })),
    method('AMT', 'Intel AMT', createAmtAdapter({ clock, publish })),
    ...(byMqtt ? [byMqtt.method] : []),
    ...own,
  ]
  const { url: mqttUrl, tlsUrl: mqttsUrl, managed: mqttDevices } = byMqtt ?? {}
  return { methods, mqttUrl, mqttsUrl, mqttDevices }
}

/** Where it fails, what was begun before is ended. */
async function makeMqttBeside(own: readonly Method[], options: MqttOptions): Promise<MqttDevices> {
  try {
    return await (await import('./mqtt.ts')).makeMqtt(options)
  } catch (error) {
    await Promise.all(own.map(({ adapter }) => adapter.close()))
    throw error
  }
}

/** The host of a device's address, which may be a URL, or a host with a port or none. */
function hostOf(hostName: string): string {
  const url = hostName.includes('://') ? hostName : `http://${hostName}`
  return plainHost(URL.parse(url)?.hostname ?? hostName)
}

function method(id: string, variant: string, adapter: DeviceAdapter): Method {
  return { id, type: id === 'Redfish' ? 'Redfish' : 'OEM', variant, adapter }
}
