using System;
using System.Threading;
using TurboHttp;
using TurboHttp.Unity;
using UnityEngine;

/// <summary>Gets a page when the object starts, and says where the time went.</summary>
public sealed class FirstRequest : MonoBehaviour
{
    public string url = "https://example.com/";

    private readonly CancellationTokenSource destroyed = new CancellationTokenSource();

    private async void Start()
    {
        try
        {
            TurboRequest request = new TurboRequest(url).Header("accept", "text/html");
            using (TurboResponse response = await TurboUnity.Shared.SendAsync(request, destroyed.Token))
            {
                string text = await response.ReadStringAsync();
                TurboTimeline timeline = response.Timeline;
                Debug.Log(response.Status + ", " + text.Length + " characters: connect " + timeline.Connect + ", TLS "
                    + timeline.Tls + ", wait " + timeline.Wait + ", receive " + timeline.Receive);
            }
        }
        catch (OperationCanceledException)
        {
            // The object is gone.
        }
        catch (TurboException exception)
        {
            Debug.LogWarning(exception.Code + ": " + exception.Message);
        }
    }

    private void OnDestroy()
    {
        destroyed.Cancel();
    }
}
