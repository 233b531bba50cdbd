import { pushImage } from '../../src/client/push.ts'
import { RedfishClient } from '../../src/client/redfish-client.ts'
import { systemClock } from '../../src/lib/clock.ts'

/** Gives the image named first to all the services named after it, at once, and prints how many updates were good. */
const [image = '', ...urls] = process.argv.slice(2)
const silent = { sent: () => {}, progressed: () => {}, said: () => {}, waiting: () => {} }
const results = await Promise.all(urls.map(push))
process.stdout.write(JSON.stringify({ good: results.filter(Boolean).length }))

async function push(url: string): Promise<boolean> {
  const client = new RedfishClient(url, { user: 'admin', password: 'redflash', insecure: false })
  try {
    const asked = { image, parameters: {}, resets: false, starts: false }
    return await pushImage({ client, watcher: silent, clock: systemClock }, asked)
  } finally {
    await client.close()
  }
}
