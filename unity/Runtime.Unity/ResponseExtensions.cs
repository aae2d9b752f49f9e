using System.Threading.Tasks;
using UnityEngine;

namespace TurboHttp.Unity
{
    /// <summary>Bodies as objects of Unity. Awaited on the main thread.</summary>
    public static class ResponseExtensions
    {
        /// <summary>Reads the rest of the body as JSON by <see cref="JsonUtility"/>.</summary>
        public static async Task<T> ReadJsonAsync<T>(this TurboResponse response)
        {
            return JsonUtility.FromJson<T>(await response.ReadStringAsync());
        }

        /// <summary>Reads the rest of the body as a PNG or JPEG. The caller destroys the texture.</summary>
        /// <exception cref="TurboException">It is no image (<see cref="TurboError.Decode"/>).</exception>
        public static async Task<Texture2D> ReadTextureAsync(this TurboResponse response)
        {
            byte[] bytes = await response.ReadToEndAsync();
            Texture2D texture = new Texture2D(2, 2);
            if (!texture.LoadImage(bytes))
            {
                Object.Destroy(texture);
                throw new TurboException(TurboError.Decode, "The body is no image that Unity can read.");
            }
            return texture;
        }
    }
}
