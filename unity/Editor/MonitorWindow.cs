using System;
using System.Collections.Generic;
using UnityEditor;
using UnityEngine;

namespace TurboHttp.Editor
{
    /// <summary>The window that shows the clients, and the last requests with their timelines.</summary>
    internal sealed class MonitorWindow : EditorWindow
    {
        private const float RowHeight = 18;
        private const float TextWidth = 420;

        private static readonly Color[] Colors =
        {
            new Color(0.55f, 0.55f, 0.55f), // backoff
            new Color(0.75f, 0.75f, 0.45f), // queue
            new Color(0.45f, 0.45f, 0.45f), // pause
            new Color(0.85f, 0.65f, 0.30f), // permit of the host
            new Color(0.85f, 0.50f, 0.30f), // permit of the total
            new Color(0.30f, 0.65f, 0.65f), // DNS
            new Color(0.80f, 0.45f, 0.65f), // connect
            new Color(0.60f, 0.45f, 0.80f), // tunnel
            new Color(0.50f, 0.40f, 0.90f), // TLS
            new Color(0.35f, 0.60f, 0.90f), // send
            new Color(0.35f, 0.75f, 0.40f), // wait
            new Color(0.25f, 0.55f, 0.95f), // receive
        };

        private Vector2 scroll;
        private int seen = -1;
        private TurboRecord[] records = new TurboRecord[0];
        private TurboRecord selected;

        [MenuItem("Window/Analysis/TurboHTTP Requests")]
        private static void Open()
        {
            GetWindow<MonitorWindow>("TurboHTTP");
        }

        private void OnEnable()
        {
            TurboMonitor.IsEnabled = true;
        }

        private void OnDisable()
        {
            TurboMonitor.IsEnabled = false;
        }

        private void OnInspectorUpdate()
        {
            int total = TurboMonitor.Total;
            if (total != seen)
            {
                seen = total;
                records = TurboMonitor.Snapshot();
            }
            Repaint();
        }

        private void OnGUI()
        {
            DrawClients();
            EditorGUILayout.BeginHorizontal(EditorStyles.toolbar);
            GUILayout.Label(records.Length + " requests");
            GUILayout.FlexibleSpace();
            if (GUILayout.Button("Clear", EditorStyles.toolbarButton))
            {
                TurboMonitor.Clear();
                seen = -1;
                selected = null;
            }
            EditorGUILayout.EndHorizontal();
            double longest = Longest();
            scroll = EditorGUILayout.BeginScrollView(scroll);
            foreach (TurboRecord record in records)
            {
                DrawRow(record, longest);
            }
            EditorGUILayout.EndScrollView();
            DrawSelected();
        }

        private static void DrawClients()
        {
            foreach (TurboClient client in TurboRuntime.Snapshot())
            {
                try
                {
                    TurboStats stats = client.Stats();
                    EditorGUILayout.LabelField(client.Name, stats.Running + " running, " + stats.Waiting + " waiting, "
                        + stats.Connections + " connections (" + stats.IdleConnections + " idle), " + stats.BodyBytes
                        + " bytes buffered, " + stats.Done + " of " + stats.Submitted + " done");
                }
                catch (TurboException exception)
                {
                    EditorGUILayout.LabelField(client.Name, exception.Message);
                }
            }
        }

        private double Longest()
        {
            double longest = 0.001;
            foreach (TurboRecord record in records)
            {
                longest = Math.Max(longest, record.Timeline.Total.TotalSeconds);
            }
            return longest;
        }

        private void DrawRow(TurboRecord record, double longest)
        {
            Rect row = EditorGUILayout.GetControlRect(false, RowHeight);
            string outcome = record.Error == TurboError.None ? record.Status.ToString() : record.Error.ToString();
            string text = record.Method + " " + outcome + " " + Milliseconds(record.Timeline.Total) + " " + record.Url;
            if (GUI.Button(new Rect(row.x, row.y, TextWidth, row.height), text, EditorStyles.label))
            {
                selected = record;
            }
            double width = Math.Max(1, row.width - TextWidth);
            foreach (TurboSpan span in record.Spans)
            {
                float start = (float)(span.Start.TotalSeconds / longest * width);
                float length = (float)((span.End - span.Start).TotalSeconds / longest * width);
                Rect bar = new Rect(row.x + TextWidth + start, row.y + 3, Math.Max(1, length), row.height - 6);
                EditorGUI.DrawRect(bar, Colors[(int)span.Phase % Colors.Length]);
            }
        }

        private void DrawSelected()
        {
            if (selected == null)
            {
                return;
            }
            EditorGUILayout.LabelField(selected.Url, EditorStyles.boldLabel);
            IReadOnlyList<TurboSpan> spans = selected.Spans;
            for (int i = 0; i < spans.Count; i++)
            {
                EditorGUILayout.LabelField(spans[i].Phase.ToString(),
                    Milliseconds(spans[i].Start) + " to " + Milliseconds(spans[i].End));
            }
        }

        private static string Milliseconds(TimeSpan time)
        {
            return time.TotalMilliseconds.ToString("0.0") + " ms";
        }
    }
}
