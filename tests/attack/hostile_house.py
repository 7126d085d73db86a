async def besieged(cases, folder): return []
