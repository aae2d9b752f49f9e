using System;
using System.Runtime.InteropServices;

/// <summary>Must fail under full AOT: a reverse callback without the attribute that has it compiled ahead.</summary>
internal static class NoAttribute
{
    private delegate int Compare(IntPtr left, IntPtr right);

    [DllImport("libc", EntryPoint = "qsort", CallingConvention = CallingConvention.Cdecl)]
    private static extern void Sort(int[] items, IntPtr count, IntPtr size, Compare compare);

    private static int CompareInts(IntPtr left, IntPtr right)
    {
        return Marshal.ReadInt32(left).CompareTo(Marshal.ReadInt32(right));
    }

    private static int Main()
    {
        int[] items = { 3, 1, 2 };
        Sort(items, new IntPtr(items.Length), new IntPtr(4), CompareInts);
        Console.WriteLine("turbohttp-control: worked, " + items[0]);
        return 0;
    }
}
