"""Who calls: API tokens of machines and people. Users, roles and regions follow."""
